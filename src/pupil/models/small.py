"""Our own small segmentation networks: a residual encoder and a light decoder that learn quickly from scratch.

Plain 3x3 convolutions throughout: below 128 channels a depthwise separable pair saves a CPU hardly any time and
learns less. Logits come at stride 2, because at 64 pixels a person is three pixels wide.

Legend: N images, K classes, C channels, H x W positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.models.decoder import ConvNorm, Decoder


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Args:
        stem: channels at stride 2.
        stages: channels of the three stages, at strides 4, 8 and 16.
        depth: residual blocks in each stage.
        decoder: channels of the decoder.
    """

    stem: int
    stages: tuple[int, int, int]
    depth: tuple[int, int, int]
    decoder: int

    def scaled(self, width: int) -> Size:
        """The same network with ``width`` channels in the stem, and all others in proportion."""
        first, second, third = (max(1, round(channels * width / self.stem)) for channels in self.stages)
        decoder = max(1, round(self.decoder * width / self.stem))
        return Size(width, (first, second, third), self.depth, decoder)


SIZES = {
    "tiny": Size(stem=12, stages=(16, 20, 24), depth=(1, 1, 1), decoder=12),
    "small": Size(stem=16, stages=(32, 56, 88), depth=(1, 1, 1), decoder=24),
    "base": Size(stem=24, stages=(48, 96, 192), depth=(1, 1, 2), decoder=32),
    "large": Size(stem=32, stages=(64, 128, 256), depth=(2, 3, 4), decoder=64),
}


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; with stride 2 the shortcut averages before it projects.

    Reference:
        The shortcut is that of ResNet-D: He et al., "Bag of Tricks for Image Classification with Convolutional Neural
        Networks", CVPR 2019.
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(channels, out, stride=stride), ConvNorm(out, out, activate=False))
        self.shortcut = nn.Sequential()
        if stride > 1:
            # Rounded up, as a strided convolution with padding does.
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if stride > 1 or channels != out:
            self.shortcut.append(ConvNorm(channels, out, kernel=1, activate=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.body(x))


class Context(nn.Module):
    """Tells every position what stands around it: 3x3 views at dilations 1, 2 and 4, and the mean of the image.

    Reference:
        Atrous spatial pyramid pooling: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation",
        2017. Here the views are a quarter as wide as the map and are added to it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(8, channels // 4)
        self.reduce = ConvNorm(channels, narrow, kernel=1)
        self.views = nn.ModuleList(ConvNorm(narrow, narrow, dilation=dilation) for dilation in (1, 2, 4))
        self.expand = ConvNorm(3 * narrow, channels, kernel=1, activate=False)
        # No BatchNorm here: it would see a single value per image, and fail on a batch of one.
        self.mean = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.reduce(x)
        around = self.expand(torch.cat([view(narrow) for view in self.views], dim=1))
        return F.relu(x + around + self.mean(x.mean((2, 3), keepdim=True)))


class SmallNet(nn.Module):
    """An encoder down to stride 16 and a decoder back to stride 2.

    Args:
        classes: K.
        size: width and depth.
        aux: also return logits of the second stage, as torchvision's networks do.

    Shape:
        image (N, 3, H, W) of any size to logits (N, K, H / 2, W / 2), rounded up; with ``aux`` to the dictionary
        ``{"out": those logits, "aux": (N, K, H / 8, W / 8)}``.
    """

    def __init__(self, classes: int, size: Size, aux: bool = False) -> None:
        super().__init__()
        self.stem = ConvNorm(3, size.stem, stride=2)
        channels = (size.stem, *size.stages)
        self.stage1, self.stage2, self.stage3 = (
            _stage(*each) for each in zip(channels, size.stages, size.depth, strict=False)
        )
        self.context = Context(size.stages[-1])
        self.decoder = Decoder(channels, size.decoder)
        self.classifier = nn.Conv2d(size.decoder, classes, 1)
        self.aux_classifier = nn.Conv2d(size.stages[1], classes, 1) if aux else None

    def forward(self, image: Tensor) -> Tensor | dict[str, Tensor]:
        half = self.stem(image)
        quarter = self.stage1(half)
        eighth = self.stage2(quarter)
        sixteenth = self.context(self.stage3(eighth))
        logits: Tensor = self.classifier(self.decoder([half, quarter, eighth, sixteenth]))
        if self.aux_classifier is None:
            return logits
        return {"out": logits, "aux": self.aux_classifier(eighth)}


def small_net(name: str, classes: int, *, width: int | None = None, aux: bool = False) -> SmallNet:
    """One of our own networks by name.

    ========  ==========  ===============================================
    name      parameters  made for
    ========  ==========  ===============================================
    tiny      28 thousand a student of drawn scenes
    small     0.2 million a student of real images
    base      1.5 million a teacher that a CPU trains in half a minute
    large     5.7 million a teacher of real images
    ========  ==========  ===============================================

    Args:
        name: from the table.
        classes: K.
        width: channels of the stem, to which all others keep their proportion; None keeps the size's own.
        aux: also return logits of the second stage.

    Raises:
        UsageError: for an unknown name, and for a width below 4.

    Example:
        >>> small_net("tiny", classes=5)(torch.zeros(2, 3, 64, 96)).shape
        torch.Size([2, 5, 32, 48])
    """
    if name not in SIZES:
        raise unknown("model of the family 'pupil'", name, SIZES)
    if width is not None and width < 4:
        raise UsageError(f"expected a width of at least 4 channels, got {width}")
    size = SIZES[name]
    return SmallNet(classes, size if width is None else size.scaled(width), aux)


def _stage(channels: int, out: int, depth: int) -> nn.Sequential:
    return nn.Sequential(Residual(channels, out, stride=2), *(Residual(out, out) for _ in range(depth - 1)))
