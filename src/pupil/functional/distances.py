"""Euclidean distances between the rows of a matrix."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pupil.functional.precision import without_autocast


def distances(rows: Tensor) -> Tensor:
    """The distance of every two rows; rows that coincide have distance zero and give each other no gradient.

    Differences are taken before they are squared, so that near rows keep their digits, and neither pass holds the
    N x N x D differences.

    Args:
        rows: float32 or float64.

    Shape:
        rows: (..., N, D); returns (..., N, N).

    Example:
        >>> distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
        tensor([[0., 5.],
                [5., 0.]])
    """
    found: Tensor = _Distances.apply(rows)
    return found


class _Distances(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        found = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
        ctx.save_for_backward(rows, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        rows, found = ctx.saved_tensors
        # The gradient of row i is the sum over j of pull_ij (row i - row j): two products instead of the differences.
        pull = torch.where(found > 0, (gradient + gradient.mT) / found, 0.0)
        # A common shift changes no difference; small numbers lose less where the two products are subtracted.
        rows = rows - rows.mean(-2, keepdim=True)
        with without_autocast(rows):
            total: Tensor = pull.sum(-1, keepdim=True) * rows - pull @ rows
            return total
