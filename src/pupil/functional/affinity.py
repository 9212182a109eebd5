"""The distance between two affinity matrices, without the matrices where there is a cheaper way.

Legend: N images, C channels, M positions, S and T the student's and the teacher's (C, M) matrix of one image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Form = Callable[[Tensor, Tensor], tuple[Tensor, Callable[[], Tensor]]]


def affinity_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Sum over images of ||S^T S - T^T T||² (Frobenius), in the cheapest of three forms.

    Where both matrices almost agree, the Gram form subtracts nearly equal numbers: in float32 it keeps an absolute
    error near 1e-8 of ||S^T S||², and float64 inputs give small values exactly. Equal channels take the difference
    form, which loses nothing where S and T themselves agree. Only the student receives a gradient, computed together
    with the value, so that no (M, M) and no (C, C) matrix outlives the call.

    Args:
        student: (N, C, M), float32 or float64.
        teacher: (N, C', M), same type.

    Example:
        >>> import torch
        >>> student, teacher = torch.randn(2, 3, 50).double(), torch.randn(2, 4, 50).double()
        >>> matrices = (each.mT @ each for each in (student, teacher))
        >>> torch.allclose(affinity_distance(student, teacher), torch.dist(*matrices) ** 2)
        True
    """
    distance: Tensor = _AffinityDistance.apply(student, teacher, cheapest_form(student, teacher))
    return distance


def cheapest_form(student: Tensor, teacher: Tensor) -> Form:
    """Compare the multiplications: (M, M) products cost M² (C + C'), (C, C) products M (C² + C'² + C C')."""
    own, other, positions = student.shape[1], teacher.shape[1], student.shape[2]
    if positions * (own + other) <= own**2 + other**2 + own * other:
        return direct_form
    return difference_form if own == other else gram_form


def direct_form(student: Tensor, teacher: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
    """||E||² with the (M, M) matrix E = S^T S - T^T T; the gradient is 4 S E."""
    difference = torch.baddbmm(teacher.mT @ teacher, student.mT, student, beta=-1)
    return _inner(difference, difference), lambda: 4 * (student @ difference)


def gram_form(student: Tensor, teacher: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
    """||S S^T||² + ||T T^T||² - 2 ||S T^T||²; the gradient is 4 (S S^T S - S T^T T)."""
    own, cross = student @ student.mT, student @ teacher.mT
    value = _inner(own, own) + _gram_norm(teacher) - 2 * _inner(cross, cross)
    # Rounding can push the difference of nearly equal numbers below zero.
    return value.clamp_min(0), lambda: (own @ student).baddbmm_(cross, teacher, beta=4, alpha=-4)


def difference_form(student: Tensor, teacher: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
    """1/2 [<D D^T, P P^T> + tr (P D^T)²] with D = S - T and P = S + T: nothing cancels where D is small."""
    minus, plus = student - teacher, student + teacher
    small, large, mixed = minus @ minus.mT, plus @ plus.mT, plus @ minus.mT
    value = (_inner(small, large) + _inner(mixed, mixed.mT)) / 2
    return value.clamp_min(0), lambda: (mixed + small) @ plus + (large + mixed.mT) @ minus


def _gram_norm(matrix: Tensor, block: int = 128) -> Tensor:
    """||X X^T||² from little more than half of the products, since X X^T is symmetric."""
    total = matrix.new_zeros(())
    for start in range(0, matrix.shape[1], block):
        rows = matrix[:, start : start + block] @ matrix[:, start:].mT
        corner = rows[:, :, :block]
        total = total + 2 * _inner(rows, rows) - _inner(corner, corner)
    return total


def _inner(left: Tensor, right: Tensor) -> Tensor:
    # MPS knows no float64; elsewhere it costs nothing to sum few numbers in it.
    wide = left.dtype if left.device.type == "mps" else torch.float64
    return (left * right).sum(dtype=wide)


class _AffinityDistance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, form: Form) -> Tensor:
        value, gradient = form(student, teacher)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(gradient())
        return value.to(student.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return weight * gradient, None, None
