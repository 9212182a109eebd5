"""One vector for each image, whatever a layer shows."""

from __future__ import annotations

from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.precision import precise


def image_vectors(feature: Tensor) -> Tensor:
    """A layer's feature as one vector an image, in float32 or better: the mean over its tokens or positions.

    Args:
        feature: vectors (N, D), tokens (N, L, D) or maps (N, D, H, W).

    Returns:
        (N, D).

    Raises:
        UsageError: for a feature of another rank.

    Example:
        >>> import torch
        >>> image_vectors(torch.ones(2, 8, 4, 4)).shape, image_vectors(torch.ones(2, 16, 8)).shape
        (torch.Size([2, 8]), torch.Size([2, 8]))
    """
    if feature.dim() not in (2, 3, 4):
        raise UsageError(
            f"expected vectors (N, D), tokens (N, L, D) or maps (N, D, H, W), got {tuple(feature.shape)}: "
            "take a layer that shows one of them"
        )
    rows = precise(feature)
    return rows if rows.dim() == 2 else rows.mean(1) if rows.dim() == 3 else rows.mean((2, 3))
