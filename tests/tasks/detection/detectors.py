"""Tiny detectors of every family, and a batch for them."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD

CLASSES = 3
KINDS = ("retinanet", "fcos", "ssd", "faster_rcnn")


class Pyramid(nn.Module):
    """Three levels of stride 8, 16 and 32, with batch normalisation whose statistics a slip would change."""

    def __init__(self, channels=(32, 32, 32)):
        super().__init__()
        self.out_channels = channels[0] if len(set(channels)) == 1 else list(channels)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 8, 3, stride, 1), nn.BatchNorm2d(8), nn.ReLU()) for stride in (1, 2, 2)
        )
        self.out = nn.ModuleList(nn.Conv2d(8, count, 1) for count in channels)

    def forward(self, image):
        features, levels = self.stem(image), OrderedDict()
        for name, down, out in zip(("p3", "p4", "p5"), self.down, self.out, strict=True):
            features = down(features)
            levels[name] = out(features)
        return levels


def detector(kind, seed=0, classes=CLASSES, **options):
    torch.manual_seed(seed)
    if kind == "ssd":
        boxes = DefaultBoxGenerator([[2], [2, 3], [2]], scales=[0.2, 0.4, 0.6, 0.8])
        return SSD(Pyramid((8, 12, 16)), boxes, (64, 64), classes + 1, **options)
    sizes = {"min_size": 64, "max_size": 96, **options}
    if kind == "fcos":
        # Smaller than the strides, so that objects of small images lie on several levels.
        points = AnchorGenerator(((3,), (6,), (12,)), ((1.0,),) * 3)
        return FCOS(Pyramid(), classes + 1, anchor_generator=points, **sizes)
    anchors = AnchorGenerator(((12,), (24,), (48,)), ((0.5, 1.0, 2.0),) * 3)
    if kind == "retinanet":
        return RetinaNet(Pyramid(), classes + 1, anchor_generator=anchors, **sizes)
    from torchvision.ops import MultiScaleRoIAlign

    pool = MultiScaleRoIAlign(["p3", "p4", "p5"], 3, 2)
    return FasterRCNN(Pyramid(), classes + 1, rpn_anchor_generator=anchors, box_roi_pool=pool, **sizes)


def batch(seed=0, empty=True):
    """Images of two sizes in [0, 1], and their boxes; the last image has none."""
    generator = torch.Generator().manual_seed(seed)
    images = [torch.rand(3, *size, generator=generator) for size in ((64, 80), (56, 72), (64, 64))]
    targets = [
        {"boxes": torch.tensor([[4.0, 6, 20, 30], [30, 10, 70, 60]]), "labels": torch.tensor([1, 3])},
        {"boxes": torch.tensor([[10.0, 10, 40, 34]]), "labels": torch.tensor([2])},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    return (images, targets) if empty else (images[:2], targets[:2])
