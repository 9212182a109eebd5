"""Euclidean norms of differences, weighted by how much an image counts."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.checks import check_choice
from pupil.functional.levels import weighted_mean
from pupil.functional.precision import precise

Reduction = Literal["image_mean", "batch_norm"]


def weighted_norm(
    difference: Tensor, importance: Tensor | None = None, *, reduction: Reduction = "image_mean"
) -> Tensor:
    """The norm of a difference, not divided by its number of elements; where it is zero, so is its gradient.

    "image_mean": mean over images of importance_i ||difference_i||;
    "batch_norm": importance ||difference||, one norm over the whole batch.

    Without importance ||difference||² is the sum over images of ||difference_i||², so that "batch_norm" is at least
    sqrt(N) times "image_mean", and exactly that where all images are equally far.

    Args:
        difference: any floating-point type, N images first.
        importance: (N,) or a scalar, a constant; "batch_norm" takes one number alone. None counts every image fully.
        reduction: "image_mean" or "batch_norm", as above.

    Raises:
        UsageError: for an unknown reduction, or an importance of another shape.

    Example:
        >>> difference = torch.tensor([[3.0, 4.0], [0.0, 5.0]])
        >>> weighted_norm(difference), weighted_norm(difference, torch.tensor([1.0, 0.0]))
        (tensor(5.), tensor(2.5000))
        >>> weighted_norm(difference, reduction="batch_norm")
        tensor(7.0711)
    """
    check_choice("reduction", reduction, get_args(Reduction))
    # vector_norm has the subgradient zero at zero, where the root of a sum has none.
    if reduction == "image_mean":
        return weighted_mean(torch.linalg.vector_norm(precise(difference).flatten(1), dim=1), importance)
    if importance is not None and importance.numel() != 1:
        raise UsageError(
            f"expected one importance for one norm over the batch, got shape {tuple(importance.shape)}: "
            'take reduction="image_mean", or average over the images first'
        )
    return weighted_mean(torch.linalg.vector_norm(precise(difference))[None], importance)
