"""Logits made softer before a softmax."""

from __future__ import annotations

from torch import Tensor

from pupil.functional.precision import precise


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Logits / temperature in float32 or better, without a copy where the temperature is 1.

    Args:
        logits: any shape.
        temperature: above 1 evens the softmax out, below 1 sharpens it.

    Example:
        >>> import torch
        >>> soften(torch.tensor([0.0, 4.0]), 4.0)
        tensor([0., 1.])
    """
    return precise(logits) if temperature == 1.0 else precise(logits) / temperature
