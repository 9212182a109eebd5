"""What the naive oracles share: softmax and divergence of plain lists, one number at a time."""

from __future__ import annotations

import math


def softmax(values: list[float], temperature: float = 1.0) -> list[float]:
    largest = max(values)
    exponentials = [math.exp((value - largest) / temperature) for value in values]
    return [each / sum(exponentials) for each in exponentials]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))
