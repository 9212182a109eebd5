"""Vectors of length one, with zero vectors left in peace."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# The floor of torch.nn.functional.normalize: anything shorter counts as zero.
SHORTEST = 1e-12


def unit_vectors(tensor: Tensor, dim: int = 1, *, dtype: torch.dtype | None = None) -> Tensor:
    """Divide vectors by their Euclidean norm; a zero vector stays zero and receives a zero gradient.

    ``torch.nn.functional.normalize`` gives the same values, but sends a gradient of the size 1e12 to a zero vector,
    and a channel-wise ReLU makes such vectors every day. A vector without direction has none to learn.

    Args:
        tensor: float32 or float64.
        dim: the dimension along which a vector lies.
        dtype: the type to compute in and to return; None keeps the tensor's own.

    Example:
        >>> import torch
        >>> unit_vectors(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    unit: Tensor = _UnitVectors.apply(tensor, dim, dtype or tensor.dtype)
    return unit


class _UnitVectors(Function):
    """One copy of the tensor in all, kept for the backward pass; the composed form makes three."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
        unit = tensor.to(dtype, copy=True)
        squares = torch.zeros_like(unit.narrow(dim, 0, 1))
        # In a few blocks, since the squares of the whole tensor would be a second copy of it.
        for block in torch.split(unit, max(64, -(-unit.shape[dim] // 8)), dim):
            squares += block.square().sum(dim, keepdim=True)
        floor = SHORTEST**2
        scale = torch.where(squares > floor, squares.clamp_min(floor).rsqrt(), 0.0)
        unit.mul_(scale)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(unit, scale)
            ctx.dim, ctx.dtype = dim, tensor.dtype
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        unit, scale = ctx.saved_tensors
        radial = (gradient * unit).sum(ctx.dim, keepdim=True)
        return torch.addcmul(gradient, unit, radial, value=-1).mul_(scale).to(ctx.dtype), None, None
