"""Maps at another size."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from pupil.functional.precision import precise, without_autocast


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps resampled bilinearly, with half-pixel centres, in float32 or better; as they are where the size is theirs.

    Interpolation in half precision loses the small logits that a softened distribution lives on.

    Args:
        maps: of any floating-point type.
        size: (H', W').

    Shape:
        maps: (N, C, H, W) to (N, C, H', W').

    Example:
        >>> import torch
        >>> resized(torch.zeros(1, 2, 4, 4, dtype=torch.float16), (8, 8)).dtype
        torch.float32
    """
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    with without_autocast(maps):
        return F.interpolate(precise(maps), size=tuple(size), mode="bilinear", align_corners=False)
