"""Features as maps (N, C, H, W), whatever a library lays them out as: tokens, or channels last.

Legend: N images, C channels, H x W positions, L tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.networks.adapters import MOST_PREFIX_TOKENS, TokensToGrid


class ChannelsFirst(nn.Module):
    """A map whose channels come last, with its channels first.

    Shape: (N, H, W, C) to (N, C, H, W).

    Raises:
        UsageError: where the feature has another rank.

    Example:
        >>> import torch
        >>> tuple(ChannelsFirst()(torch.zeros(2, 7, 9, 96)).shape)
        (2, 96, 7, 9)
    """

    def forward(self, feature: Tensor) -> Tensor:
        if feature.dim() != 4:
            raise UsageError(f"expected a map (N, H, W, C), got {tuple(feature.shape)}: tap a layer that shows one")
        return feature.permute(0, 3, 1, 2)


def map_of(shape: Sequence[int], image: Sequence[int]) -> nn.Module | None:
    """What turns a feature of this shape into a map (N, C, H, W), or None where it is one already or is none at all.

    Transformers show tokens (N, L, C), some with a class token or registers in front, or maps (N, H, W, C). Which it is
    shows in the numbers: H and W of a map are those of the image over a stride.

    Args:
        shape: of the feature.
        image: (H, W) of the image as the network saw it, its preprocessing included.

    Example:
        >>> map_of((2, 197, 384), (224, 224)), map_of((2, 7, 9, 96), (224, 288)), map_of((2, 96, 7, 9), (224, 288))
        (TokensToGrid(14, 14, prefix_tokens=1), ChannelsFirst(), None)
    """
    if len(shape) == 3:
        grid = token_grid(shape[1], image)
        return None if grid is None else TokensToGrid(grid[0], grid[1], prefix_tokens=shape[1] - math.prod(grid))
    if len(shape) == 4 and not _is_grid(shape[2:], image) and _is_grid(shape[1:3], image):
        return ChannelsFirst()
    return None


def token_grid(tokens: int, image: Sequence[int]) -> tuple[int, int] | None:
    """Rows and columns of the positions among these tokens, the fewest others left over; None where none fit.

    Example:
        >>> token_grid(25, (64, 96)), token_grid(24, (64, 96)), token_grid(77, (64, 96))
        ((4, 6), (4, 6), None)
    """
    grids = {_grid(image, stride) for stride in range(1, max(image) + 1)}
    fitting = [grid for grid in grids if 0 <= tokens - math.prod(grid) <= MOST_PREFIX_TOKENS]
    return max(fitting, key=math.prod, default=None)


def _grid(image: Sequence[int], stride: int) -> tuple[int, int]:
    # Rounded up, as a strided convolution with padding does.
    return -(-image[0] // stride), -(-image[1] // stride)


def _is_grid(size: Sequence[int], image: Sequence[int]) -> bool:
    strides = range(1, max(image) + 1)
    return any(tuple(size) in (_grid(image, each), (image[0] // each, image[1] // each)) for each in strides)
