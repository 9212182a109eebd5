"""What the naive oracles share: two random networks, and softmax and divergence of plain lists."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def pair(*shape: int, dtype: torch.dtype = torch.float64, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """A student, which takes a gradient, and a teacher of one shape."""
    torch.manual_seed(0)
    student, teacher = scale * torch.randn(2, *shape, dtype=torch.float64)
    return student.to(dtype).requires_grad_(), teacher.to(dtype)


def softmax(values: list[float], temperature: float = 1.0) -> list[float]:
    largest = max(values)
    exponentials = [math.exp((value - largest) / temperature) for value in values]
    return [each / sum(exponentials) for each in exponentials]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))
