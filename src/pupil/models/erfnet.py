"""ERFNet in its lane version: factorised residual blocks, and a branch that says which lanes exist.

Legend: N images, K classes (the background and K - 1 lanes), C channels, H x W positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.models.existence import ExistenceBranch, check_size, lane_answer

EPSILON = 1e-3  # of every BatchNorm


class Down(nn.Module):
    """Half the size: a 3x3 convolution of stride 2 beside a 2x2 max pool."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out - channels, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(out, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(torch.cat([self.conv(x), F.max_pool2d(x, 2)], dim=1)))


class NonBottleneck1d(nn.Module):
    """A residual block of two 3x3 convolutions, each factorised into 3x1 and 1x3; the second is dilated."""

    def __init__(self, channels: int, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_factorised(channels), nn.ReLU(), *_factorised(channels, dilation), nn.Dropout2d(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class Encoder(nn.Module):
    """Blocks 1 to 4, at strides 2, 4, 8 and 8; the last two are the two rounds of dilations 2, 4, 8 and 16.

    Shape:
        image (N, 3, H, W) to (N, 128, H / 8, W / 8).
    """

    def __init__(self) -> None:
        super().__init__()
        self.block1 = Down(3, 16)
        self.block2 = nn.Sequential(Down(16, 64), *(NonBottleneck1d(64, dropout=0.1) for _ in range(5)))
        self.block3 = nn.Sequential(Down(64, 128), *_round())
        self.block4 = nn.Sequential(*_round())

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.block4(self.block3(self.block2(self.block1(image))))
        return features


class ERFNet(nn.Module):
    """ERFNet with an existence branch.

    At 208x976 and five classes it has 2,608,538 parameters, 545,257 of them in the existence branch.

    Args:
        classes: K.
        size: (H, W) of the image, multiples of 8: the existence branch is built for it.
        existence: whether it says which lanes exist.

    Shape:
        image (N, 3, H, W), multiples of 8, to the dictionary ``{"out": (N, K, H, W), "existence": (N, K - 1)}``, both
        of them logits; without ``existence`` to ``{"out": ...}``.

    Raises:
        UsageError: for heights and widths that are no multiples of 8.

    Reference:
        E. Romera, J. M. Alvarez, L. M. Bergasa, R. Arroyo, "ERFNet: Efficient Residual Factorized ConvNet for
        Real-time Semantic Segmentation", IEEE Transactions on Intelligent Transportation Systems 2018; the lane
        version is that of cardwing/Codes-for-Lane-Detection. It has 645 parameters more, of a 1x1 classifier on the
        encoder that served its pretraining and never runs here.

    Example:
        >>> answer = ERFNet(classes=5, size=(32, 64)).eval()(torch.zeros(2, 3, 32, 64))
        >>> answer["out"].shape, answer["existence"].shape
        (torch.Size([2, 5, 32, 64]), torch.Size([2, 4]))
    """

    blocks = ("encoder.block1", "encoder.block2", "encoder.block3", "encoder.block4")

    def __init__(self, classes: int, size: tuple[int, int], *, existence: bool = True) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = nn.Sequential(
            *_up(128, 64),
            *(NonBottleneck1d(64) for _ in range(2)),
            *_up(64, 16),
            *(NonBottleneck1d(16) for _ in range(2)),
            nn.ConvTranspose2d(16, classes, 2, stride=2),
        )
        self.existence = ExistenceBranch(128, classes, size) if existence else None

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        check_size(image.shape[2:])
        features = self.encoder(image)
        return lane_answer(self.decoder(features), features, self.existence)


def _factorised(channels: int, dilation: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)),
        nn.ReLU(),
        nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation)),
        nn.BatchNorm2d(channels, eps=EPSILON),
    ]


def _round() -> list[nn.Module]:
    return [NonBottleneck1d(128, dilation, dropout=0.1) for dilation in (2, 4, 8, 16)]


def _up(channels: int, out: int) -> list[nn.Module]:
    enlarge = nn.ConvTranspose2d(channels, out, 3, stride=2, padding=1, output_padding=1)
    return [enlarge, nn.BatchNorm2d(out, eps=EPSILON), nn.ReLU()]
