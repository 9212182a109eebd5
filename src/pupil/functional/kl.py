"""The Kullback-Leibler divergence between two softmax distributions, from their logits."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pupil.functional.precision import precise, without_autocast
from pupil.functional.temperature import soften


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
    student = precise(student)
    divergence: Tensor = _KLDivergence.apply(student, teacher.detach().to(student.dtype), dim, temperature)
    return divergence


class _KLDivergence(Function):
    """KL with its gradient, (p_student - p_teacher) / temperature, computed where both are at hand.

    It keeps one tensor of the logits' size for the backward pass where the composed form keeps two, and it reuses
    its buffers: on large maps a fresh buffer costs more time than the arithmetic that fills it.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, dim: int, temperature: float) -> Tensor:
        log_student = F.log_softmax(soften(student, temperature), dim)
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


def pairwise_kl(logits: Tensor) -> Tensor:
    """KL(map i || map j) between every two maps of an image, each a distribution over its positions.

    KL_ij = sum over x of p_i(x) (log p_i(x) - log p_j(x)),  p_i = softmax over positions of logits_i

    Args:
        logits: (N, K, X), K maps of X positions.

    Returns:
        (N, K, K) in float32 or better; the diagonal is exactly zero.

    Example:
        >>> pairwise_kl(torch.tensor([[[0.0, 0.0], [0.0, 1.0]]]))
        tensor([[[0.0000, 0.1201],
                 [0.1109, 0.0000]]])
    """
    with without_autocast(logits):
        divergences: Tensor = _PairwiseKL.apply(precise(logits))
    return divergences


class _PairwiseKL(Function):
    """All pairs by one matrix product, KL_ij = <p_i, log p_i> - <p_i, log p_j>, with the gradient in closed form.

    Subtracting the mean of all maps from the logarithms changes no difference of two, and keeps the products as small
    as the differences: maps that almost agree would drown in the rounding of their entropies otherwise.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        logarithm = F.log_softmax(logits, dim=2)
        probability = logarithm.exp()
        logarithm.sub_(logarithm.mean(1, keepdim=True))
        product = probability @ logarithm.mT
        divergence = product.diagonal(dim1=1, dim2=2).unsqueeze(2) - product
        ctx.save_for_backward(probability, logarithm, divergence)
        return divergence

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        probability, logarithm, divergence = ctx.saved_tensors
        with without_autocast(gradient):
            # As first of a pair: p_i (sum over j of gradient_ij (log p_i - log p_j - KL_ij)).
            first = (gradient.sum(2).diag_embed() - gradient) @ logarithm
            first.sub_((gradient * divergence).sum(2, keepdim=True))
            # As second of a pair: sum over i of gradient_ij (p_j - p_i).
            second = (gradient.sum(1).diag_embed() - gradient.mT) @ probability
            total: Tensor = second.addcmul_(probability, first)
            return total
