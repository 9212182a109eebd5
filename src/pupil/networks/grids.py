"""Features as maps (N, C, H, W), whatever a library lays them out as: tokens, or channels last.

Legend: N images, C channels, H x W positions, L tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from pupil.errors import UsageError

# A class token, a distillation token (DeiT), or a class token with four registers (DINOv2).
MOST_PREFIX_TOKENS = 5


class TokensToGrid(nn.Module):
    """Lays tokens out as a map, row by row, and drops the prefix tokens (class, distillation, registers).

    Args:
        height: rows H of the map.
        width: columns W of the map.
        prefix_tokens: how many leading tokens belong to no position.

    Shape: (N, prefix + H W, C) to (N, C, H, W).

    Raises:
        UsageError: where the number of tokens is another one.

    Example:
        >>> import torch
        >>> tuple(TokensToGrid(14, 14, prefix_tokens=1)(torch.zeros(2, 197, 384)).shape)
        (2, 384, 14, 14)
    """

    def __init__(self, height: int, width: int, *, prefix_tokens: int = 0) -> None:
        super().__init__()
        self.height, self.width, self.prefix_tokens = height, width, prefix_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.dim() != 3 or tokens.shape[1] != self.prefix_tokens + self.height * self.width:
            raise UsageError(
                f"expected tokens (N, {self.prefix_tokens} + {self.height} x {self.width}, C), "
                f"got {tuple(tokens.shape)}: give TokensToGrid the grid of this image size"
            )
        images, _, channels = tokens.shape
        positions = tokens[:, self.prefix_tokens :].transpose(1, 2)
        return positions.reshape(images, channels, self.height, self.width)

    def extra_repr(self) -> str:
        return f"{self.height}, {self.width}, prefix_tokens={self.prefix_tokens}"


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
    for grids in _grids(image):
        fitting = [grid for grid in grids if 0 <= tokens - math.prod(grid) <= MOST_PREFIX_TOKENS]
        if fitting:
            return max(fitting, key=math.prod)
    return None


def _is_grid(size: Sequence[int], image: Sequence[int]) -> bool:
    return any(tuple(size) in grids for grids in _grids(image))


def _grids(image: Sequence[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The image over every stride, rounded up, as a convolution with padding does, and down, as one without."""
    height, width = image
    up = [(-(-height // stride), -(-width // stride)) for stride in range(1, max(image) + 1)]
    # Looked at last: with both at once, a class token would now and then pass for a position of another stride.
    down = [(height // stride, width // stride) for stride in range(1, min(image) + 1)]
    return up, down
