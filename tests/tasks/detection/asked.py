"""A detector in float64 that was asked for its own losses, and the parts to compute them from by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pupil.tasks.detection import detector_call
from tasks.detection.detectors import batch, detector


def asked(kind):
    model = detector(kind, 1).double().eval()
    images, targets = batch()
    with torch.no_grad():
        torch.manual_seed(3)
        shown = detector_call(model, losses=True)(model, [image.double() for image in images], targets)
    images, targets = shown.batch
    pyramid = {name: shown.features[name] for name in shown.output.levels}
    generator = model.rpn.anchor_generator if kind == "faster_rcnn" else model.anchor_generator
    anchors = generator(images, list(pyramid.values()))
    return model, images, targets, shown.output.head, anchors, shown.output.task_losses, pyramid


class _Counting(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.numbers += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@contextmanager
def counting() -> Iterator[_Counting]:
    """Within the block, how often Python asks a tensor for its number, for which a device has to be waited for."""
    with _Counting() as counted:
        yield counted
