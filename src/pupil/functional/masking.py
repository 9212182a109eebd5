"""Means and softmax over the positions that count.

Legend: N images, C channels or classes, and any positions `...` after them; `valid` has shape (N, ...).
"""

from __future__ import annotations

import torch
from torch import Tensor

# Far below any logit, and far enough from the end of float32 to survive a division by the temperature.
HIDDEN = -1e30


def masked_sum(values: Tensor, valid: Tensor | None) -> Tensor:
    """The sum over valid entries.

    Args:
        values: any shape.
        valid: bool of the same shape; None counts every entry.
    """
    return values.sum() if valid is None else torch.where(valid, values, 0.0).sum()


def masked_mean(values: Tensor, valid: Tensor | None) -> Tensor:
    """The mean over valid entries; zero, with a zero gradient, where there are none.

    Args:
        values: any shape.
        valid: bool of the same shape; None counts every entry.

    Example:
        >>> masked_mean(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True]))
        tensor(2.)
    """
    return values.mean() if valid is None else masked_sum(values, valid) / valid.sum().clamp(min=1)


def hide(logits: Tensor, valid: Tensor | None) -> Tensor:
    """Logits (N, C, ...) that a softmax over positions gives no probability where `valid` (N, ...) is false.

    Example:
        >>> hide(torch.zeros(1, 1, 3), torch.tensor([[True, False, True]])).softmax(dim=2)
        tensor([[[0.5000, 0.0000, 0.5000]]])
    """
    return logits if valid is None else logits.masked_fill(~valid.unsqueeze(1), HIDDEN)


def count_images(images: Tensor, valid: Tensor | None) -> Tensor | int:
    """How many images (N, ...) have a valid position; at least one, so that a sum can be divided by it."""
    return len(images) if valid is None else valid.flatten(1).any(1).sum().clamp(min=1)


def image_mean(values: Tensor, valid: Tensor | None) -> Tensor:
    """The mean over images that have a valid position; zero where there are none.

    Args:
        values: (N, ...), one value or array for each image.
        valid: (N, positions...) bool; None counts every image.

    Example:
        >>> image_mean(torch.tensor([1.0, 5.0]), torch.tensor([[True, False], [False, False]]))
        tensor(1.)
    """
    if valid is None:
        return values.mean(0)
    counted = valid.flatten(1).any(1).view(-1, *[1] * (values.dim() - 1))
    return torch.where(counted, values, 0.0).sum(0) / count_images(values, valid)
