"""DenseNet for images of 32 pixels: every layer receives what all layers before it in its stage have made.

Legend: K classes, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.staged import StagedNet

NAMES = {"densenet121": (6, 12, 24, 16)}


class DenseLayer(nn.Module):
    """A 1x1 and a 3x3 convolution, each after BatchNorm and ReLU; their channels join those of the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels, 4 * growth, kernel=1), *_convolution(4 * growth, growth, kernel=3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], dim=1)


def densenet(name: str, classes: int, *, growth: int = 32) -> StagedNet:
    """A DenseNet by name, with a plain 3x3 stem and no pooling before the first stage.

    Between two stages a 1x1 convolution halves the channels and a mean over 2x2 positions the image; both count to the
    stage that follows. The output of a stage is taken before BatchNorm and ReLU; ``norm`` is the last one after them.

    Args:
        name: ``densenet121`` (7,048,548 parameters at 100 classes).
        classes: K.
        growth: channels that each layer adds.

    Raises:
        UsageError: for an unknown name, and for a growth below 1.

    Reference:
        Huang et al., "Densely Connected Convolutional Networks", CVPR 2017: the layers of its network for ImageNet,
        behind the stem that the field uses on CIFAR.

    Example:
        >>> densenet("densenet121", classes=10, growth=4)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    if name not in NAMES:
        raise unknown("DenseNet", name, NAMES)
    if growth < 1:
        raise UsageError(f"expected a growth of at least one channel, got {growth}: 32 is usual")
    channels, stages = 2 * growth, []
    for index, depth in enumerate(NAMES[name]):
        layers: list[nn.Module] = []
        if index > 0:
            layers = [*_convolution(channels, channels // 2, kernel=1), nn.AvgPool2d(2)]
            channels //= 2
        layers += [DenseLayer(channels + each * growth, growth) for each in range(depth)]
        channels += depth * growth
        stages.append(nn.Sequential(*layers))
    stem = nn.Conv2d(3, 2 * growth, 3, padding=1, bias=False)
    return StagedNet(stem, stages, channels, classes, nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()))


def _convolution(channels: int, out: int, kernel: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)]
