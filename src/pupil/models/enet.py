"""ENet-SAD: ENet with a fourth encoder block, and a branch that says which lanes exist.

Legend: N images, K classes (the background and K - 1 lanes), C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.models.existence import ExistenceBranch, check_size, lane_answer

Kernel = tuple[int, int]
SQUARE: tuple[Kernel, ...] = ((3, 3),)
ASYMMETRIC: tuple[Kernel, ...] = ((5, 1), (1, 5))
# The eight bottlenecks of blocks 2, 3 and 4, each with its dilation.
CYCLE = (
    (SQUARE, 1),
    (SQUARE, 2),
    (ASYMMETRIC, 1),
    (SQUARE, 4),
    (SQUARE, 1),
    (SQUARE, 8),
    (ASYMMETRIC, 1),
    (SQUARE, 16),
)


class Initial(nn.Module):
    """A 3x3 convolution of stride 2 beside a 3x3 max pool of the image: 13 + 3 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 13, 3, stride=2, padding=1, bias=False)
        self.close = nn.Sequential(nn.BatchNorm2d(16), nn.PReLU())

    def forward(self, image: Tensor) -> Tensor:
        pooled = F.max_pool2d(image, 3, stride=2, padding=1)
        joined: Tensor = self.close(torch.cat([self.conv(image), pooled], dim=1))
        return joined


class Bottleneck(nn.Module):
    """A quarter of the channels through one or two convolutions, expanded, dropped out, added to what came in."""

    def __init__(
        self,
        channels: int,
        dropout: float,
        kernels: Sequence[Kernel] = SQUARE,
        dilation: int = 1,
        activation: Callable[[], nn.Module] = nn.PReLU,
    ) -> None:
        super().__init__()
        narrow = channels // 4
        self.body = nn.Sequential(
            *_convolution(channels, narrow, (1, 1), activation),
            *(layer for kernel in kernels for layer in _convolution(narrow, narrow, kernel, activation, dilation)),
            *_convolution(narrow, channels, (1, 1), activation),
            nn.Dropout2d(dropout),
        )
        self.close = activation()

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.close(x + self.body(x))
        return summed


class Down(nn.Module):
    """Half the size and more channels: the shortcut is a max pool padded with zero channels.

    Shape:
        (N, C, H, W) to (N, out, H / 2, W / 2) and to the places of the C maxima, for :class:`Up`.
    """

    def __init__(self, channels: int, out: int, dropout: float) -> None:
        super().__init__()
        narrow = channels // 4
        self.body = nn.Sequential(
            *_convolution(channels, narrow, (2, 2), nn.PReLU, stride=2),
            *_convolution(narrow, narrow, (3, 3), nn.PReLU),
            *_convolution(narrow, out, (1, 1), nn.PReLU),
            nn.Dropout2d(dropout),
        )
        self.missing = out - channels
        self.close = nn.PReLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled, places = F.max_pool2d(x, 2, return_indices=True)
        padded = F.pad(pooled, (0, 0, 0, 0, 0, self.missing))
        return self.close(padded + self.body(x)), places


class Up(nn.Module):
    """Twice the size and fewer channels: the shortcut puts every value where :class:`Down` found a maximum."""

    def __init__(self, channels: int, out: int, dropout: float) -> None:
        super().__init__()
        narrow = channels // 4
        self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))
        self.body = nn.Sequential(
            *_convolution(channels, narrow, (1, 1), nn.ReLU),
            nn.ConvTranspose2d(narrow, narrow, 2, stride=2, bias=False),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            *_convolution(narrow, out, (1, 1), nn.ReLU),
            nn.Dropout2d(dropout),
        )

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        return F.relu(F.max_unpool2d(self.shortcut(x), places, (2, 2)) + self.body(x))


class Encoder(nn.Module):
    """Blocks 1 to 4, at strides 4, 8, 8 and 8.

    Shape:
        image (N, 3, H, W) to the features of blocks 4 and 3, each (N, 128, H / 8, W / 8), and to the places of the
        maxima at strides 2 and 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.initial = Initial()
        self.down1 = Down(16, 64, dropout=0.01)
        self.block1 = nn.Sequential(*(Bottleneck(64, 0.01) for _ in range(4)))
        self.down2 = Down(64, 128, dropout=0.1)
        self.block2, self.block3, self.block4 = (
            nn.Sequential(*(Bottleneck(128, 0.1, *settings) for settings in CYCLE)) for _ in range(3)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x, half = self.down1(self.initial(image))
        x, quarter = self.down2(self.block1(x))
        third = self.block3(self.block2(x))
        # What it shows to whoever looks at the encoder as a layer comes first.
        return self.block4(third), third, half, quarter


class Decoder(nn.Module):
    """From the features of blocks 3 and 4 side by side up to logits at the size of the image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.up1 = Up(256, 64, dropout=0.1)
        self.refine1 = nn.Sequential(*(Bottleneck(64, 0.1, activation=nn.ReLU) for _ in range(2)))
        self.up2 = Up(64, 16, dropout=0.1)
        self.refine2 = Bottleneck(16, 0.1, activation=nn.ReLU)
        self.classifier = nn.ConvTranspose2d(16, classes, 3, stride=2, padding=1, output_padding=1, bias=False)

    def forward(self, features: Tensor, half: Tensor, quarter: Tensor) -> Tensor:
        x = self.refine1(self.up1(features, quarter))
        logits: Tensor = self.classifier(self.refine2(self.up2(x, half)))
        return logits


class ENetSAD(nn.Module):
    """ENet-SAD, the network of self attention distillation.

    At 208x976 and five classes it has 1,074,391 parameters, 545,257 of them in the existence branch.

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
        Y. Hou, Z. Ma, C. Liu, C. C. Loy, "Learning Lightweight Lane Detection CNNs by Self Attention Distillation",
        ICCV 2019, on ENet: A. Paszke, A. Chaurasia, S. Kim, E. Culurciello, "ENet: A Deep Neural Network Architecture
        for Real-Time Semantic Segmentation", 2016. The released graph is a binary file, and 0.98 million parameters are
        published for it without a size of image; this figure is not reproduced. What is built here follows the rebuild
        in InhwanBae/ENet-SAD_Pytorch, but for its existence branch, which lacks the 3x3 convolution, and its fourth
        block, which is the third one run again. Against the original ENet, a bottleneck that changes the size narrows
        to a quarter of what comes in, not of what goes out, transposes a 2x2 convolution, not a 3x3 one, and each
        PReLU has one slope, not one a channel.

    Example:
        >>> answer = ENetSAD(classes=5, size=(32, 64)).eval()(torch.zeros(2, 3, 32, 64))
        >>> answer["out"].shape, answer["existence"].shape
        (torch.Size([2, 5, 32, 64]), torch.Size([2, 4]))
    """

    blocks = ("encoder.block1", "encoder.block2", "encoder.block3", "encoder.block4")

    def __init__(self, classes: int, size: tuple[int, int], *, existence: bool = True) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder(classes)
        self.existence = ExistenceBranch(128, classes, size) if existence else None

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        check_size(image.shape[2:])
        fourth, third, half, quarter = self.encoder(image)
        logits = self.decoder(torch.cat([third, fourth], dim=1), half, quarter)
        return lane_answer(logits, fourth, self.existence)


def _convolution(
    channels: int,
    out: int,
    kernel: Kernel,
    activation: Callable[[], nn.Module],
    dilation: int = 1,
    stride: int = 1,
) -> list[nn.Module]:
    padding = ((kernel[0] - 1) // 2 * dilation, (kernel[1] - 1) // 2 * dilation)
    convolution = nn.Conv2d(channels, out, kernel, stride, padding, dilation, bias=False)
    return [convolution, nn.BatchNorm2d(out), activation()]
