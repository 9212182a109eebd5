"""Tiny detectors as student and teacher, and how a method is asked to plan for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN, RetinaNet

from pupil.distiller import Distiller
from pupil.methods import load_method
from pupil.tasks.detection.task import DetectionTask
from tasks.detection.detectors import Pyramid, detector

CLASSES = ["car", "person", "sign"]
TASK = DetectionTask(CLASSES)
IMAGE = [torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0))]


def planned(name: str, student: nn.Module, teacher: nn.Module | None, **options: Any) -> Distiller:
    """The distiller of a method, in training."""
    torch.manual_seed(0)
    return load_method(name)(student, teacher, TASK, IMAGE, **options).distiller.train()


def pair(name: str, kind: str = "retinanet", **options: Any) -> Distiller:
    """The distiller of two detectors of one architecture, with the weight 1."""
    return planned(name, detector(kind, 0), detector(kind, 1), weight=1.0, **options)


def narrow(kind: str) -> nn.Module:
    """A detector whose pyramid has half of the channels."""
    wide = detector(kind)
    pyramid, sizes = Pyramid((16, 16, 16)), {"min_size": 64, "max_size": 96}
    if kind == "retinanet":
        return RetinaNet(pyramid, len(CLASSES) + 1, anchor_generator=wide.anchor_generator, **sizes)
    first, second = wide.rpn.anchor_generator, wide.roi_heads.box_roi_pool
    return FasterRCNN(pyramid, len(CLASSES) + 1, rpn_anchor_generator=first, box_roi_pool=second, **sizes)
