"""Vectors of length one, with zero vectors left in peace."""

from __future__ import annotations

import torch
from torch import Tensor

# The floor of torch.nn.functional.normalize: anything shorter counts as zero.
SHORTEST = 1e-12


def unit_vectors(tensor: Tensor, dim: int = 1) -> Tensor:
    """Divide vectors by their Euclidean norm; a zero vector stays zero and receives a zero gradient.

    ``torch.nn.functional.normalize`` gives the same values, but sends a gradient of the size 1e12 to a zero vector,
    and a channel-wise ReLU makes such vectors every day. A vector without direction has none to learn.

    Args:
        tensor: float32 or float64.
        dim: the dimension along which a vector lies.

    Example:
        >>> unit_vectors(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    squares = tensor.square().sum(dim, keepdim=True)
    floor = SHORTEST**2
    return tensor * torch.where(squares > floor, squares.clamp_min(floor).rsqrt(), 0.0)
