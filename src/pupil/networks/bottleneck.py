"""A bottleneck that brings a shallow map to the size and channels of a deep one, for an early classifier.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from torch import nn

from pupil.errors import UsageError

FEWEST = 16  # channels of the narrow map, where a quarter would be fewer


class Bottleneck(nn.Sequential):
    """A 1 x 1 convolution, one that covers `stride` x `stride` positions without overlap, and another 1 x 1.

    Each is followed by batch normalisation and ReLU; in between the map has a quarter of the channels that go out, at
    least 16. With stride 1 the middle one is an ordinary 3 x 3 convolution.

    Args:
        channels: that come in.
        out: channels that go out.
        stride: by how much the map shrinks.

    Shape:
        (N, channels, H, W) to (N, out, H / stride, W / stride), rounded down.

    Raises:
        UsageError: for fewer than one channel, or a stride below 1.

    Example:
        >>> import torch
        >>> Bottleneck(8, 32, stride=4)(torch.zeros(2, 8, 16, 16)).shape
        torch.Size([2, 32, 4, 4])
    """

    def __init__(self, channels: int, out: int, *, stride: int = 1) -> None:
        if channels < 1 or out < 1 or stride < 1:
            raise UsageError(
                f"expected channels and stride of at least 1, got {channels}, {out} and {stride}: raise them"
            )
        width = max(FEWEST, out // 4)
        middle = nn.Conv2d(width, width, stride, stride, bias=False)
        if stride == 1:
            middle = nn.Conv2d(width, width, 3, padding=1, bias=False)
        first, last = nn.Conv2d(channels, width, 1, bias=False), nn.Conv2d(width, out, 1, bias=False)
        parts = [
            part for each in (first, middle, last) for part in (each, nn.BatchNorm2d(each.out_channels), nn.ReLU())
        ]
        super().__init__(*parts)
