"""Detectors on a feature pyramid: torchvision's anchors at scale 1, half of them at a half."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.models.detectors import SmallEncoder
from pupil.models.pyramid_detectors import FAMILIES, PyramidBackbone, on_pyramid

every_family = pytest.mark.parametrize("family", FAMILIES)


def small_family(family: str, **options: Any) -> Any:
    return on_pyramid(family, SmallEncoder(8, (8, 8, 8, 8), 1), (4, 8, 16, 32), (8,) * 4, 3, width=32, **options)


@every_family
def test_anchors_are_those_of_torchvision_at_scale_1(family: str) -> None:
    from torchvision.models.detection import fcos_resnet50_fpn, retinanet_resnet50_fpn
    from torchvision.models.detection.faster_rcnn import _default_anchorgen

    model = small_family(family)
    ours = model.rpn.anchor_generator if family == "fasterrcnn" else model.anchor_generator
    if family == "fasterrcnn":
        theirs = _default_anchorgen()
    else:
        build = fcos_resnet50_fpn if family == "fcos" else retinanet_resnet50_fpn
        theirs = build(weights=None, weights_backbone=None).anchor_generator
    assert len(ours.cell_anchors) == 5
    assert all(torch.equal(*pair) for pair in zip(ours.cell_anchors, theirs.cell_anchors, strict=True))


@every_family
def test_half_the_scale_is_half_the_anchors(family: str) -> None:
    one, half = (small_family(family, scale=scale, coarser=False) for scale in (1.0, 0.5))
    if family == "fasterrcnn":
        assert (one.roi_heads.box_roi_pool.canonical_scale, half.roi_heads.box_roi_pool.canonical_scale) == (224, 112)
        one, half = one.rpn, half.rpn
    for ours, theirs in zip(half.anchor_generator.sizes, one.anchor_generator.sizes, strict=True):
        assert ours == tuple(size // 2 for size in theirs)


def test_a_pyramid_sees_the_kept_maps_even_with_channels_last() -> None:
    class Maps(nn.Module):
        def forward(self, image: Tensor) -> list[Tensor]:
            size = image.shape[-1]
            return [torch.zeros(1, size // stride, size // stride, stride) for stride in (4, 8, 16)]

    backbone = PyramidBackbone(Maps(), (1, 2), (8, 16), 32, channels_last=True)
    levels = backbone(torch.zeros(1, 3, 64, 64))
    assert {name: tuple(level.shape) for name, level in levels.items()} == {"0": (1, 32, 8, 8), "1": (1, 32, 4, 4)}


def test_what_is_no_pyramid_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown detector 'yolo': expected one of retinanet, fcos, fasterrcnn"):
        small_family("yolo")
    with pytest.raises(UsageError, match=r"maps at strides 8, 16 and so on, got \[16, 16, 16\]: choose a conv"):
        on_pyramid("fcos", nn.Identity(), (16, 16, 16), (8, 8, 8), 3)
    with pytest.raises(UsageError, match="unknown option of fcos 'minsize': did you mean min_size"):
        small_family("fcos", minsize=3)
    with pytest.raises(UsageError, match=r"fcos refused its options: num_channels .* must be divisible"):
        on_pyramid("fcos", SmallEncoder(8, (8,) * 4, 1), (4, 8, 16, 32), (8,) * 4, 3, width=48)
