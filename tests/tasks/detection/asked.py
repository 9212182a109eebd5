"""A detector in float64 that was asked for its own losses, and the parts to compute them from by hand."""

from __future__ import annotations

import torch

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
