"""Our own small segmentation networks, made to learn quickly from scratch: a residual encoder and a light decoder.

Legend: N images, K classes, C channels, H x W positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, unknown


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Args:
        width: channels of the stem; the stages have 1, 1.5, 2 ... times as many, see ``growth``.
        growth: channels of the three stages over the stem's.
        depth: residual blocks in each of the three stages.
    """

    width: int
    growth: tuple[float, float, float]
    depth: tuple[int, int, int]


SIZES = {
    "tiny": Size(width=16, growth=(1, 1.5, 2), depth=(0, 0, 0)),
    "small": Size(width=24, growth=(1, 2, 3), depth=(1, 1, 1)),
    "base": Size(width=48, growth=(1, 2, 4), depth=(1, 1, 1)),
    "large": Size(width=64, growth=(1, 2, 4), depth=(2, 2, 4)),
}


class ConvNorm(nn.Sequential):
    """Convolution, BatchNorm and, unless told otherwise, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1, activate: bool = True) -> None:
        super().__init__(nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(out))
        if activate:
            self.append(nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two 3x3 convolutions around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(channels, channels), ConvNorm(channels, channels, activate=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class Context(nn.Module):
    """Adds to every position what the whole image shows: ``x + W mean(x)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # No BatchNorm: over one pooled position it would see a single value per image.
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.project(x.mean((2, 3), keepdim=True)))


class Decoder(nn.Module):
    """From the coarsest map up: each finer one joins by a 1x1 convolution and a sum; a 3x3 convolution at the end."""

    def __init__(self, channels: tuple[int, ...], out: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(each, out, 1) for each in channels)
        self.fuse = nn.Sequential(nn.BatchNorm2d(out), nn.ReLU(inplace=True), ConvNorm(out, out))

    def forward(self, features: list[Tensor]) -> Tensor:
        laterals = [project(each) for project, each in zip(self.lateral, features, strict=True)]
        x = laterals.pop()
        while laterals:
            finer = laterals.pop()
            x = finer + F.interpolate(x, size=finer.shape[2:], mode="bilinear", align_corners=False)
        fused: Tensor = self.fuse(x)
        return fused


class SmallNet(nn.Module):
    """An encoder to stride 16 and a decoder back to stride 4.

    Args:
        classes: K.
        size: width and depth of the encoder.
        aux: also return logits of the stage at stride 8, as torchvision's networks do.

    Shape:
        image (N, 3, H, W) of any size; logits (N, K, H / 4, W / 4) rounded up, or with ``aux`` the dictionary
        ``{"out": logits, "aux": logits at stride 8}``.
    """

    def __init__(self, classes: int, size: Size, aux: bool = False) -> None:
        super().__init__()
        first, second, third = (int(size.width * growth) for growth in size.growth)
        self.stem = ConvNorm(3, size.width, stride=2)
        self.stage1 = _stage(size.width, first, size.depth[0])
        self.stage2 = _stage(first, second, size.depth[1])
        self.stage3 = _stage(second, third, size.depth[2])
        self.context = Context(third)
        self.decoder = Decoder((first, second, third), first)
        self.classifier = nn.Conv2d(first, classes, 1)
        self.aux_classifier = nn.Conv2d(second, classes, 1) if aux else None

    def forward(self, image: Tensor) -> Tensor | dict[str, Tensor]:
        quarter = self.stage1(self.stem(image))
        eighth = self.stage2(quarter)
        logits: Tensor = self.classifier(self.decoder([quarter, eighth, self.context(self.stage3(eighth))]))
        if self.aux_classifier is None:
            return logits
        return {"out": logits, "aux": self.aux_classifier(eighth)}


def small_net(name: str, classes: int, *, width: int | None = None, aux: bool = False) -> SmallNet:
    """One of our own networks by name.

    Args:
        name: ``tiny``, ``small``, ``base`` or ``large``.
        classes: K.
        width: channels of the stem; everything else grows with it. None keeps the size's own.
        aux: also return logits of the stage at stride 8.

    Raises:
        UsageError: for an unknown name or a width below 4.

    Example:
        >>> import torch
        >>> small_net("tiny", classes=5)(torch.zeros(2, 3, 64, 96)).shape
        torch.Size([2, 5, 16, 24])
    """
    if name not in SIZES:
        raise unknown("model of the family 'pupil'", name, SIZES)
    size = SIZES[name]
    if width is not None:
        if width < 4:
            raise UsageError(f"expected a width of at least 4 channels, got {width}")
        size = Size(width, size.growth, size.depth)
    return SmallNet(classes, size, aux)


def _stage(channels: int, out: int, depth: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(channels, out, stride=2), *(Residual(out) for _ in range(depth)))
