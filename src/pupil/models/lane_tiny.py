"""Our own small lane network, for studies on a CPU: four residual blocks, a light decoder, and the existence branch.

Legend: N images, K classes (the background and K - 1 lanes), C channels, H x W positions.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.models.decoder import ConvNorm, Decoder
from pupil.models.existence import ExistenceBranch, check_size, lane_answer
from pupil.models.small import Context, Residual

STEM, FIRST, DEEP = 12, 16, 24


class LaneTiny(nn.Module):
    """About 50 thousand parameters for images of 64x96 to 128x192.

    Its blocks stand as those of ENet-SAD do: one at stride 4, three at stride 8.

    Args:
        classes: K.
        size: (H, W) of the image, multiples of 8: the existence branch is built for it.
        existence: whether it says which lanes exist.

    Shape:
        image (N, 3, H, W), multiples of 8, to the dictionary ``{"out": (N, K, H, W), "existence": (N, K - 1)}``, both
        of them logits; without ``existence`` to ``{"out": ...}``.

    Raises:
        UsageError: for heights and widths that are no multiples of 8.

    Example:
        >>> import torch
        >>> answer = LaneTiny(classes=5, size=(64, 96)).eval()(torch.zeros(2, 3, 64, 96))
        >>> answer["out"].shape, answer["existence"].shape
        (torch.Size([2, 5, 64, 96]), torch.Size([2, 4]))
    """

    blocks = ("block1", "block2", "block3", "block4")

    def __init__(self, classes: int, size: tuple[int, int], *, existence: bool = True) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM, stride=2)
        self.block1 = Residual(STEM, FIRST, stride=2)
        self.block2 = Residual(FIRST, DEEP, stride=2)
        self.block3 = Residual(DEEP, DEEP)
        self.block4 = nn.Sequential(Residual(DEEP, DEEP), Context(DEEP))
        self.decoder = Decoder((STEM, FIRST, DEEP), STEM)
        self.classifier = nn.Conv2d(STEM, classes, 1)
        self.existence = ExistenceBranch(DEEP, classes, size, width=16, hidden=32) if existence else None

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        check_size(image.shape[2:])
        half = self.stem(image)
        quarter = self.block1(half)
        deep = self.block4(self.block3(self.block2(quarter)))
        logits = self.classifier(self.decoder([half, quarter, deep]))
        logits = F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
        return lane_answer(logits, deep, self.existence)
