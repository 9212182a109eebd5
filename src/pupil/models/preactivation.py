"""Residual networks that normalise before they convolve: Wide ResNets and PreAct-ResNet, for images of 32 pixels.

Legend: K classes, C channels.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.decoder import ConvNorm
from pupil.models.staged import StagedNet, stages_of

# Depth (6 n + 4 layers) and how many times wider than 16, 32, 64 the stages are.
WIDE_NAMES = {f"wrn_{depth}_{width}": (depth, width) for depth, width in (
    (16, 1), (16, 2), (16, 4), (28, 2), (28, 4), (28, 10), (40, 1), (40, 2), (40, 4),
)}  # fmt: skip
PREACT_NAMES = {"preact_resnet18": (2, 2, 2, 2), "preact_resnet34": (3, 4, 6, 3)}


class Block(nn.Module):
    """BatchNorm and ReLU before each of two 3x3 convolutions, and nothing after the sum with the shortcut.

    Where the shape changes, the shortcut is a 1x1 convolution of what BatchNorm and ReLU have made of the input.

    Args:
        channels: C of the input.
        out: C of the output.
        stride: of the first convolution.
        dropout: probability with which a value is dropped before the second convolution.
        activated: whether a shortcut that changes no shape starts after BatchNorm and ReLU, too.
    """

    def __init__(self, channels: int, out: int, stride: int, dropout: float = 0.0, activated: bool = False) -> None:
        super().__init__()
        self.activate = _activation(channels)
        self.body = nn.Sequential(
            _conv(channels, out, 3, stride), _activation(out), nn.Dropout(dropout), _conv(out, out, 3)
        )
        self.shortcut: nn.Module | None = nn.Identity() if activated else None
        if stride > 1 or channels != out:
            self.shortcut = _conv(channels, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        active = self.activate(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        total: Tensor = shortcut + self.body(active)
        return total


def wide_resnet(name: str, classes: int, *, dropout: float = 0.0) -> StagedNet:
    """A Wide ResNet by name, ``wrn_DEPTH_WIDTH``: a plain 3x3 stem, three stages, BatchNorm and ReLU at the end.

    The output of a stage is the sum, before BatchNorm and ReLU; ``norm`` is the last one after them.

    Args:
        name: ``wrn_16_1``, ``wrn_16_2``, ``wrn_40_2`` and so on.
        classes: K.
        dropout: probability inside the blocks.

    Raises:
        UsageError: for an unknown name, and for a dropout outside [0, 1).

    Reference:
        Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016. Parameters at 100 classes: ``wrn_16_2``
        0.703 million, ``wrn_40_1`` 0.570, ``wrn_40_2`` 2.255.

    Example:
        >>> import torch
        >>> wide_resnet("wrn_16_2", classes=100)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100])
    """
    if name not in WIDE_NAMES:
        raise unknown("Wide ResNet", name, WIDE_NAMES)
    if not 0 <= dropout < 1:
        raise UsageError(f"expected a dropout in [0, 1), got {dropout}: it is the share of dropped values")
    depth, width = WIDE_NAMES[name]
    widths = [16 * width, 32 * width, 64 * width]
    stages = stages_of(partial(Block, dropout=dropout), 16, widths, [(depth - 4) // 6] * 3)
    return StagedNet(_conv(3, 16, 3), stages, widths[-1], classes, _activation(widths[-1]))


def preact_resnet(name: str, classes: int, *, shortcut: Literal["identity", "activated"] = "identity") -> StagedNet:
    """A PreAct-ResNet by name, as the field of self-distillation trains it on CIFAR and TinyImageNet.

    Its stem has BatchNorm and ReLU, and nothing follows the last sum: the embedding may be negative.

    Args:
        name: ``preact_resnet18`` (11,217,444 parameters at 100 classes) or ``preact_resnet34``.
        classes: K.
        shortcut: where a shortcut that changes no shape starts: at the block's input, or after its first BatchNorm and
            ReLU.

    Raises:
        UsageError: for an unknown name or shortcut.

    Reference:
        He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016, has the ``identity``, which is the default,
        and closes with BatchNorm and ReLU. The code of Ge et al., "Self-distillation with Batch Knowledge Ensembling",
        2021, from which these networks are known, leaves that out, and its shortcut is ``activated``.

    Example:
        >>> import torch
        >>> preact_resnet("preact_resnet18", classes=100)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100])
    """
    if name not in PREACT_NAMES:
        raise unknown("PreAct-ResNet", name, PREACT_NAMES)
    if shortcut not in ("identity", "activated"):
        raise UsageError(f"expected a shortcut 'identity' or 'activated', got {shortcut!r}: choose one")
    widths = [64, 128, 256, 512]
    stages = stages_of(partial(Block, activated=shortcut == "activated"), 64, widths, PREACT_NAMES[name])
    return StagedNet(ConvNorm(3, 64), stages, widths[-1], classes)


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)


def _activation(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
