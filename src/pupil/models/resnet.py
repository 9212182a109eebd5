"""Residual networks for images of 32 pixels, as the field of distillation compares them.

Legend: K classes, C channels, n residual blocks in a stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.decoder import ConvNorm
from pupil.models.staged import StagedNet, stages_of

Shortcut = Literal["projection", "padding"]


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Args:
        stem: channels of the stem.
        stages: channels of each stage.
        depths: residual blocks in each stage.
        narrow: how many times fewer channels stand inside a block: 1 is a pair of 3x3 convolutions, 4 a bottleneck.
    """

    stem: int
    stages: tuple[int, ...]
    depths: tuple[int, ...]
    narrow: int = 1


WIDE, NARROW = (64, 128, 256, 512), (16, 32, 64)
NAMES = {
    # 6 n + 2 layers
    **{f"resnet{depth}": Size(16, NARROW, (depth // 6,) * 3) for depth in (8, 14, 20, 32, 44, 56, 110)},
    **{f"resnet{depth}x4": Size(32, WIDE[:3], (depth // 6,) * 3) for depth in (8, 32)},
    "resnet18": Size(64, WIDE, (2, 2, 2, 2)),
    "resnet34": Size(64, WIDE, (3, 4, 6, 3)),
    "resnet50": Size(64, (256, 512, 1024, 2048), (3, 4, 6, 3), narrow=4),
}


class Block(nn.Module):
    """Convolutions beside a shortcut, and ReLU after their sum."""

    def __init__(self, channels: int, out: int, stride: int, narrow: int, shortcut: Shortcut) -> None:
        super().__init__()
        inner = out // narrow
        self.body = (
            nn.Sequential(ConvNorm(channels, out, stride=stride), ConvNorm(out, out, activate=False))
            if narrow == 1
            else nn.Sequential(
                ConvNorm(channels, inner, kernel=1),
                ConvNorm(inner, inner, stride=stride),
                ConvNorm(inner, out, kernel=1, activate=False),
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != out:
            project = partial(ConvNorm, kernel=1, activate=False)
            self.shortcut = (Padding if shortcut == "padding" else project)(channels, out, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.body(x))


class Padding(nn.Module):
    """A shortcut without weights: every ``stride``-th position, and zeros for the channels that are missing."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.missing, self.stride = out - channels, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))


def resnet(name: str, classes: int, *, shortcut: Shortcut = "projection") -> StagedNet:
    """A residual network by name, with a 3x3 stem and no pooling before the first stage.

    ===========================  ==================================  =========================================
    name                         channels (stem; stages)             parameters at 100 classes, millions
    ===========================  ==================================  =========================================
    resnet8 14 20 32 44 56 110   16; 16, 32, 64                      0.084 0.181 0.278 0.473 0.667 0.862 1.737
    resnet8x4 32x4               32; 64, 128, 256                    1.234 7.434
    resnet18 34                  64; 64, 128, 256, 512               11.220 21.328
    resnet50                     64; 256, 512, 1024, 2048            23.705
    ===========================  ==================================  =========================================

    Every stage but the first halves the image; its output, ``stage1`` and so on, is taken after ReLU.

    Args:
        name: from the table.
        classes: K.
        shortcut: what leads past a block that changes the shape: a 1x1 convolution with BatchNorm, or zeros for the
            missing channels.

    Raises:
        UsageError: for an unknown name or shortcut.

    Reference:
        He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. The three-stage networks of the paper
        have ``padding``; those of Tian et al., "Contrastive Representation Distillation", ICLR 2020, with which the
        field compares, have ``projection``, which is therefore the default. Networks of four stages have the paper's
        for ImageNet behind another stem; in the bottleneck the 3x3 convolution has the stride, not the first.

    Example:
        >>> import torch
        >>> resnet("resnet20", classes=100)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100])
    """
    if name not in NAMES:
        raise unknown("residual network", name, NAMES)
    if shortcut not in ("projection", "padding"):
        raise UsageError(f"expected a shortcut 'projection' or 'padding', got {shortcut!r}: choose one")
    size = NAMES[name]
    block = partial(Block, narrow=size.narrow, shortcut=shortcut)
    stages = stages_of(block, size.stem, size.stages, size.depths)
    return StagedNet(ConvNorm(3, size.stem), stages, size.stages[-1], classes)
