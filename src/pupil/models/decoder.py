"""A light decoder from maps at several strides to one fine map: ours, and that of encoders from elsewhere.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution and BatchNorm, and ReLU unless told otherwise."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        activate: bool = True,
    ) -> None:
        padding = kernel // 2 * dilation
        super().__init__(nn.Conv2d(channels, out, kernel, stride, padding, dilation, bias=False), nn.BatchNorm2d(out))
        if activate:
            self.append(nn.ReLU())


class Decoder(nn.Module):
    """From the coarsest map up: each finer one joins by a 1x1 convolution and a sum; a 3x3 convolution closes.

    Args:
        channels: of each map, the finest first.
        out: channels of the decoder.
        enlarge: how many times larger each map is made on its way in, for encoders whose maps all have one size.

    Shape:
        maps (N, channels[i], H_i, W_i), the finest first, to (N, out, H_0, W_0), enlarged as the first map is.

    Example:
        >>> import torch
        >>> maps = [torch.zeros(1, 192, 4, 6)] * 3
        >>> Decoder((192, 192, 192), 16, enlarge=(4, 2, 1)).eval()(maps).shape
        torch.Size([1, 16, 16, 24])
    """

    def __init__(self, channels: Sequence[int], out: int, enlarge: Sequence[int] | None = None) -> None:
        super().__init__()
        self.enlarge = tuple(enlarge or [1] * len(channels))
        self.lateral = nn.ModuleList(nn.Conv2d(each, out, 1) for each in channels)
        self.fuse = nn.Sequential(nn.BatchNorm2d(out), nn.ReLU(), ConvNorm(out, out))

    def forward(self, features: list[Tensor]) -> Tensor:
        maps = [lateral(each) for lateral, each in zip(self.lateral, features, strict=True)]
        coarse, *finer = [_enlarged(*each) for each in zip(maps, self.enlarge, strict=True)][::-1]
        for fine in finer:
            coarse = fine + F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)
        fused: Tensor = self.fuse(coarse)
        return fused


def _enlarged(image: Tensor, times: int) -> Tensor:
    if times == 1:
        return image
    return F.interpolate(image, scale_factor=times, mode="bilinear", align_corners=False)
