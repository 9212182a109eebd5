"""The self-teacher of FRSKD: a small two-way pyramid that refines a classifier's own features and classifies them.

Legend: N images, K classes, C channels, H x W positions; level 0 is the finest.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, unknown

Variant = Literal["bifpnc", "bifpn"]
WIDTHS = {"bifpnc": 2, "bifpn": 256}


class SelfTeacher(nn.Module):
    """Refines a classifier's features from the coarsest to the finest and back, and classifies the coarsest of them.

    a_i, b_i = two 1x1 projections of feature i to D_i channels
    down_i = node(a_i, project(enlarge(down_(i+1)))),               the coarsest: down = a
    refined_i = node(b_i, down_i, project(halve(refined_(i-1)))),   the finest: down; the coarsest: without its down
    logits = linear(mean over positions of the coarsest refined feature)

    A node sums its inputs by shares that it learns and filters the sum by `depth` separable 3x3 convolutions. Every
    convolution is followed by BatchNorm and has no bias; every feature ends in a ReLU. Enlarging repeats each position
    twice a side, halving takes the largest of 3x3.

    Args:
        channels: C_i of each feature, the finest first.
        classes: K.
        width: in "bifpnc" D_i = width C_i, 2 as published; in "bifpn" D_i = width, 256 as published; None takes these.
        depth: separable convolutions in a node.
        variant: "bifpnc" keeps the channels in proportion to the student's; "bifpn" has equally many at all levels, and
            resamples without projections.

    Shape:
        features: (N, C_i, H / 2^i, W / 2^i), after ReLU; returns logits (N, K) and the refined features
        (N, D_i, H / 2^i, W / 2^i).

    Raises:
        UsageError: for fewer than two levels, a width or depth below 1, an unknown variant, and features that do not
            halve from level to level.

    Reference:
        M. Ji et al., "Refine Myself by Teaching Myself: Feature Refinement via Self-Knowledge Distillation", CVPR 2021;
        code MingiJi/FRSKD, whose parameters these are, one by one.

    Example:
        >>> teacher = SelfTeacher([8, 16], classes=5)
        >>> logits, refined = teacher([torch.rand(2, 8, 6, 6), torch.rand(2, 16, 3, 3)])
        >>> logits.shape, [tuple(each.shape) for each in refined]
        (torch.Size([2, 5]), [(2, 16, 6, 6), (2, 32, 3, 3)])
    """

    def __init__(
        self,
        channels: Sequence[int],
        classes: int,
        *,
        width: int | None = None,
        depth: int = 2,
        variant: Variant = "bifpnc",
    ) -> None:
        super().__init__()
        if variant not in get_args(Variant):
            raise unknown("variant", variant, get_args(Variant))
        width = WIDTHS[variant] if width is None else width
        if len(channels) < 2 or width < 1 or depth < 1:
            raise UsageError(
                f"expected two levels or more and a width and depth of at least 1, got {len(channels)} levels, "
                f"width {width} and depth {depth}: tap layers of several resolutions, or leave the defaults"
            )
        scaled = variant == "bifpnc"
        refined = [width * each if scaled else width for each in channels]
        coarsest = len(channels) - 1
        steps = list(pairwise(refined))
        self.lateral_down = nn.ModuleList(map(_projection, channels, refined))
        self.lateral_up = nn.ModuleList(map(_projection, channels[1:], refined[1:]))
        self.enlarge = nn.ModuleList(_projection(coarse, fine) if scaled else nn.Identity() for fine, coarse in steps)
        self.halve = nn.ModuleList(_projection(fine, coarse) if scaled else nn.Identity() for fine, coarse in steps)
        self.down = nn.ModuleList(_Node(each, 2, depth) for each in refined[:-1])
        self.up = nn.ModuleList(
            _Node(each, 2 if level == coarsest else 3, depth) for level, each in enumerate(refined[1:], start=1)
        )
        self.classifier = nn.Linear(refined[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        if len(features) != len(self.lateral_down):
            raise UsageError(
                f"expected {len(self.lateral_down)} features, got {len(features)}: one a level, finest first"
            )
        check_halving([each.shape for each in features])
        *finer, coarsest = (lateral(each) for lateral, each in zip(self.lateral_down, features, strict=True))
        down = [coarsest]
        for node, enlarge, fine in zip(self.down[::-1], self.enlarge[::-1], finer[::-1], strict=True):
            down.insert(0, node(fine, enlarge(F.interpolate(down[0], scale_factor=2.0, mode="nearest"))))
        refined = [down[0]]
        between = [*([each] for each in down[1:-1]), []]
        for node, halve, lateral, feature, passed in zip(
            self.up, self.halve, self.lateral_up, features[1:], between, strict=True
        ):
            refined.append(node(lateral(feature), *passed, halve(_halved(refined[-1]))))
        return self.classifier(refined[-1].mean((2, 3))), refined


def check_halving(shapes: Sequence[Sequence[int]]) -> None:
    """Refuse features whose height and width do not halve exactly from level to level.

    Args:
        shapes: (N, C, H, W) of each, the finest first.

    Example:
        >>> check_halving([(2, 8, 9, 9), (2, 16, 5, 5)])
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: expected maps that halve from level to level, got (2, 8, 9, 9), (2, 16, 5, 5): \
use images whose sides are multiples of the coarsest stride, or other layers (see `pupil layers`)
    """
    halves = all(
        len(fine) == len(coarse) == 4
        and all(small * 2 == large for small, large in zip(coarse[2:], fine[2:], strict=True))
        for fine, coarse in pairwise(shapes)
    )
    if not halves:
        raise UsageError(
            f"expected maps that halve from level to level, got {', '.join(str(tuple(each)) for each in shapes)}: "
            "use images whose sides are multiples of the coarsest stride, or other layers (see `pupil layers`)"
        )


class _Node(nn.Module):
    """A learned mean of several maps, filtered."""

    def __init__(self, channels: int, inputs: int, depth: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.ones(inputs))
        self.filters = nn.Sequential(*(_Separable(channels) for _ in range(depth)))

    def forward(self, *maps: Tensor) -> Tensor:
        shares = F.relu(self.shares)
        shares = shares / (shares.sum() + 1e-6)
        filtered: Tensor = self.filters(torch.stack([s * each for s, each in zip(shares, maps, strict=True)]).sum(0))
        return filtered


class _Separable(nn.Sequential):
    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )


def _projection(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def _halved(feature: Tensor) -> Tensor:
    # As in TensorFlow: of an even side, all padding stands at its end. Nothing is below zero, so zeros never win.
    return F.max_pool2d(F.pad(feature, (0, 1, 0, 1)), kernel_size=3, stride=2)
