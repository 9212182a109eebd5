"""Feature pyramids for dense prediction whose nodes cost next to nothing, and the self-teacher that is made of them.

Legend: N images, K classes, C channels, H x W positions; level 0 is the finest.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError

WIDTH = 64
HEAD_WIDTH = 256


class PyramidLayer(nn.Module):
    """One pass from the coarsest level to the finest, and one back.

    down_i = node(x_i + enlarge(down_(i+1))),                       the coarsest: node(x)
    up_i = node(x_i + down_i + reduce(up_(i-1))),                   the finest: up = down

    A node scales and shifts each channel (a depthwise 1x1 convolution), then BatchNorm and ReLU. Enlarging is bilinear,
    reducing takes the nearest; any sizes fit.

    Args:
        channels: C of every level.
        levels: how many there are.
        bottom_up: whether there is a way back; without it the result is `down`.

    Shape: one (N, C, H_i, W_i) a level in, the same out.

    Example:
        >>> import torch
        >>> maps = [torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 4, 4)]
        >>> [tuple(each.shape) for each in PyramidLayer(4, levels=2)(maps)]
        [(2, 4, 8, 8), (2, 4, 4, 4)]
    """

    def __init__(self, channels: int, levels: int = 6, *, bottom_up: bool = True) -> None:
        super().__init__()
        self.down = nn.ModuleList(_node(channels) for _ in range(levels))
        self.up = nn.ModuleList(_node(channels) for _ in range(levels - 1 if bottom_up else 0))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        down: list[Tensor] = []
        for node, each in zip(self.down[::-1], maps[::-1], strict=True):
            down.insert(0, node(each + enlarged(down[0], each) if down else each))
        if not self.up:
            return down
        up = down[:1]
        for node, each, passed in zip(self.up, maps[1:], down[1:], strict=True):
            up.append(node(each + passed + F.interpolate(up[-1], size=each.shape[2:], mode="nearest")))
        return up


class PyramidSelfTeacher(nn.Module):
    """The self-teacher for dense prediction: pyramid layers on a student's levels, and a head on the finest one.

    Levels of other channels than `width` first pass a 1x1 convolution with BatchNorm and ReLU. The last layer has no
    way back, which the finest level would not see.

    Args:
        channels: of each level of the student, the finest first.
        classes: K.
        width: channels of the pyramid; None takes the student's where all levels have as many, else 64.
        depth: layers, 2 as published.

    Shape:
        features: (N, C_i, H_i, W_i), of sizes that never grow; returns logits (N, K, H_0, W_0) and the refined features
        (N, width, H_i, W_i).

    Raises:
        UsageError: for no level, a width or depth below 1, and features in another order or number.

    Reference:
        The segmentation code of MingiJi/FRSKD (CVPR 2021), on the six levels of 64 channels of
        :class:`~pupil.models.efficient_pyramid.EfficientPyramid`; levels of unlike channels are ours.

    Example:
        >>> import torch
        >>> teacher = PyramidSelfTeacher([16, 24], classes=5)
        >>> logits, refined = teacher([torch.rand(2, 16, 8, 8), torch.rand(2, 24, 4, 4)])
        >>> logits.shape, [tuple(each.shape) for each in refined]
        (torch.Size([2, 5, 8, 8]), [(2, 64, 8, 8), (2, 64, 4, 4)])
    """

    def __init__(self, channels: Sequence[int], classes: int, *, width: int | None = None, depth: int = 2) -> None:
        super().__init__()
        if width is None:
            width = channels[0] if len(set(channels)) == 1 else WIDTH
        if not channels or width < 1 or depth < 1:
            raise UsageError(
                f"expected a level and a width and depth of at least 1, got {len(channels)} levels, width {width} and "
                f"depth {depth}: tap a layer, or leave the defaults"
            )
        self.lateral = nn.ModuleList(
            nn.Identity() if each == width else ConvNormReLU(each, width, kernel=1) for each in channels
        )
        self.layers = nn.Sequential(
            *(PyramidLayer(width, len(channels), bottom_up=layer < depth - 1) for layer in range(depth))
        )
        self.head = head(width, classes)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        sizes = [tuple(each.shape[2:]) for each in features]
        if len(features) != len(self.lateral) or sizes != sorted(sizes, reverse=True):
            raise UsageError(
                f"expected {len(self.lateral)} maps, the finest first, got the sizes {sizes}: name the layers in order"
            )
        maps = [lateral(each) for lateral, each in zip(self.lateral, features, strict=True)]
        refined: list[Tensor] = self.layers(maps)
        return self.head(refined[0]), refined


class ConvNormReLU(nn.Sequential):
    """Convolution with a bias, BatchNorm and ReLU.

    Running statistics move by 0.01 a step. The authors' 0.997 is the share that TensorFlow keeps; PyTorch takes it for
    the share that is new, so that an evaluation there depends on the last batch alone.
    """

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, out, kernel, stride, kernel // 2),
            nn.BatchNorm2d(out, eps=1e-4, momentum=0.01),
            nn.ReLU(),
        )


def head(channels: int, classes: int) -> nn.Sequential:
    """From a level to logits of its size."""
    return nn.Sequential(ConvNormReLU(channels, HEAD_WIDTH), nn.Conv2d(HEAD_WIDTH, classes, 3, padding=1))


def enlarged(coarse: Tensor, fine: Tensor) -> Tensor:
    """The coarser map at the size of the finer one, bilinear with half-pixel centres."""
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)


def _node(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 1, groups=channels), nn.BatchNorm2d(channels), nn.ReLU())
