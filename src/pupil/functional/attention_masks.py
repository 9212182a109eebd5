"""Where two networks look: attention of positions and of channels, and the masks that follow from it.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pupil.functional.precision import precise

Variant = Literal["code", "paper"]


def spatial_attention(feature: Tensor) -> Tensor:
    """How large a feature is at each position: the mean over channels of |f|, (N, C, H, W) to (N, H, W).

    Example:
        >>> spatial_attention(torch.tensor([[[[1.0, 3.0]], [[-3.0, 5.0]]]]))
        tensor([[[2., 4.]]])
    """
    return precise(feature).abs().mean(1)


def channel_attention(feature: Tensor) -> Tensor:
    """How large a feature is in each channel: the mean over positions of |f|, (N, C, H, W) to (N, C).

    Example:
        >>> channel_attention(torch.tensor([[[[1.0, 3.0]], [[-3.0, 5.0]]]]))
        tensor([[2., 4.]])
    """
    return precise(feature).abs().mean((2, 3))


def attention_mask(student: Tensor, teacher: Tensor, *, temperature: float, variant: Variant = "code") -> Tensor:
    """What counts where student or teacher look: a softmax of their attention, scaled to the mean 1; a constant.

    "code":  (mask(student) + mask(teacher)) / 2,  mask(a) = n softmax(a / temperature);
    "paper": mask(student + teacher).

    Args:
        student: attention of the student; all dimensions but the first are what it is spread over, n entries.
        teacher: attention of the teacher, of the same shape.
        temperature: the lower, the more the largest entries count.
        variant: "code" or "paper", as above; they differ clearly at the temperature 0.1.

    Returns:
        The shape of the attention, in float32 or better, without a gradient.

    Example:
        >>> looks = torch.tensor([[0.0, 1.0]])
        >>> attention_mask(looks, looks, temperature=0.5)
        tensor([[0.2384, 1.7616]])
    """
    with torch.no_grad():
        if variant == "paper":
            return softmax_mask(student + teacher, temperature)
        return (softmax_mask(student, temperature) + softmax_mask(teacher, temperature)) / 2


def softmax_mask(attention: Tensor, temperature: float) -> Tensor:
    """The softmax of one network's attention, scaled to the mean 1; it has a gradient where the attention has one.

    Example:
        >>> softmax_mask(torch.tensor([[0.0, 1.0]]), temperature=0.5)
        tensor([[0.2384, 1.7616]])
    """
    rows = attention.flatten(1)
    return ((rows / temperature).softmax(1) * rows.shape[1]).view_as(attention)
