"""Sums over the rows of a matrix that is too large to be held."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# 64 MiB of float32 for each matrix that a term builds.
MOST_ELEMENTS = 2**24


def sum_over_rows(
    term: Callable[[Tensor, Tensor], Tensor], student: Tensor, teacher: Tensor, *, elements_per_row: int
) -> Tensor:
    """Add up ``term(student rows, teacher rows)``, a chunk of rows at a time, each recomputed for its gradient.

    Args:
        term: gives the sum over the rows that it receives.
        student: (..., rows, C).
        teacher: (..., rows, C').
        elements_per_row: how many numbers the term computes for one row; it decides the size of a chunk.

    Example:
        >>> import torch
        >>> student, teacher = torch.ones(6, 2), torch.zeros(6, 3)
        >>> sum_over_rows(lambda s, t: s.sum() - t.sum(), student, teacher, elements_per_row=2**23)
        tensor(12.)
    """
    rows = max(1, MOST_ELEMENTS // elements_per_row)
    if student.shape[-2] <= rows:
        return term(student, teacher)
    total = student.new_zeros(())
    for chunk in zip(torch.split(student, rows, -2), torch.split(teacher, rows, -2), strict=True):
        total = total + checkpoint(term, *chunk, use_reentrant=False, preserve_rng_state=False)
    return total
