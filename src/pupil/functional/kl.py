"""The Kullback-Leibler divergence between two softmax distributions, from their logits."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pupil.functional.precision import precise


def kl_divergence(student: Tensor, teacher: Tensor, *, dim: int, temperature: float = 1.0) -> Tensor:
    """KL(teacher || student) of the softened distributions along one dimension.

    KL = sum over dim of p_teacher (log p_teacher - log p_student),  p = softmax(logits / temperature)

    The factor temperature² that keeps gradients at one scale is left to the caller, and the teacher gets no gradient.

    Args:
        student: logits of any shape.
        teacher: logits of the same shape.
        dim: the dimension of the distribution; the result lacks it.
        temperature: what the logits are divided by.

    Returns:
        The divergences in float32 or better.

    Example:
        >>> kl_divergence(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 1.0]]), dim=1)
        tensor([0.1109])
    """
    student, teacher = precise(student), precise(teacher.detach())
    divergence: Tensor = _KLDivergence.apply(student, teacher, dim, temperature)
    return divergence


class _KLDivergence(Function):
    """KL with its gradient, (p_student - p_teacher) / temperature, computed where both are at hand.

    It keeps one tensor of the logits' size for the backward pass where the composed form keeps two, and it reuses
    its buffers: on large maps a fresh buffer costs more time than the arithmetic that fills it.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, dim: int, temperature: float) -> Tensor:
        log_student = F.log_softmax(student if temperature == 1.0 else student / temperature, dim)
        softened = teacher / temperature
        log_teacher = F.log_softmax(softened, dim)
        p_teacher = torch.exp(log_teacher, out=softened)
        divergence = log_teacher.sub_(log_student).mul_(p_teacher).sum(dim)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(log_student.exp_().sub_(p_teacher))
            ctx.dim, ctx.temperature = dim, temperature
        return divergence

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (difference,) = ctx.saved_tensors
        return (gradient / ctx.temperature).unsqueeze(ctx.dim) * difference, None, None, None
