"""The existence branch of a lane network: which of the lanes are in the image at all.

Legend: N images, K classes (the background and K - 1 lanes), C channels, H x W positions.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError

STRIDE = 8


class ExistenceBranch(nn.Module):
    """One logit a lane, read from the features at stride 8.

    3x3 convolution at dilation 4, BatchNorm, ReLU, dropout 0.1, 1x1 convolution to K, softmax over K, 2x2 max pool,
    and two linear layers over all positions. The first of these belongs to one grid, so the branch is built for one
    size of image; at another size, the K maps are brought to the grid of that one by adaptive average pooling.

    Args:
        channels: C of the features.
        classes: K.
        size: (H, W) of the image, multiples of 8.
        width: channels of the 3x3 convolution.
        hidden: neurons between the two linear layers.

    Shape:
        features (N, C, H / 8, W / 8) to logits (N, K - 1): no sigmoid, which belongs to the loss.

    Raises:
        UsageError: for a size that is no multiple of 8, or less than 16.

    Reference:
        Hou et al., "Learning Lightweight Lane Detection CNNs by Self Attention Distillation", ICCV 2019, as released
        with ERFNet in cardwing/Codes-for-Lane-Detection. There a sigmoid ends the branch and its loss applies another.

    Example:
        >>> import torch
        >>> branch = ExistenceBranch(128, classes=5, size=(208, 976))
        >>> branch.linear[0].in_features, branch(torch.zeros(2, 128, 26, 122)).shape
        (3965, torch.Size([2, 4]))
    """

    def __init__(
        self, channels: int, classes: int, size: tuple[int, int], *, width: int = 32, hidden: int = 128
    ) -> None:
        super().__init__()
        check_size(size)
        self.grid = (size[0] // STRIDE, size[1] // STRIDE)
        self.maps = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=4, dilation=4, bias=False),
            nn.BatchNorm2d(width, eps=1e-3),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(width, classes, 1),
            nn.Softmax(dim=1),
        )
        positions = (self.grid[0] // 2) * (self.grid[1] // 2)
        self.linear = nn.Sequential(nn.Linear(classes * positions, hidden), nn.ReLU(), nn.Linear(hidden, classes - 1))

    def forward(self, features: Tensor) -> Tensor:
        maps = self.maps(features)
        if tuple(maps.shape[2:]) != self.grid:
            maps = F.adaptive_avg_pool2d(maps, self.grid)
        logits: Tensor = self.linear(F.max_pool2d(maps, 2).flatten(1))
        return logits


def lane_answer(logits: Tensor, features: Tensor, existence: nn.Module | None) -> dict[str, Tensor]:
    """A lane network's answer: logits at every position, and which lanes exist where it has a branch for that."""
    answer = {"out": logits}
    if existence is not None:
        answer["existence"] = existence(features)
    return answer


def check_size(size: tuple[int, ...]) -> None:
    """Refuse heights and widths that three halvings and a pool do not divide evenly.

    Example:
        >>> check_size((590, 1640))
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: expected multiples of 8 from 16 on, got an image of 590x1640: \
resize or crop it, e.g. to 592x1640
    """
    if all(side % STRIDE == 0 and side >= 2 * STRIDE for side in size):
        return
    nearest = "x".join(str(max(2, round(side / STRIDE)) * STRIDE) for side in size)
    raise UsageError(
        f"expected multiples of {STRIDE} from {2 * STRIDE} on, got an image of {'x'.join(map(str, size))}: "
        f"resize or crop it, e.g. to {nearest}"
    )
