"""KD: the student's class distribution follows the teacher's, at every position.

Legend: N images, K classes, and any positions `...` after them (none, L, H x W, D x H x W).
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from pupil.functional.checks import (
    check_channels,
    check_choice,
    check_same_shape,
    check_temperature,
    check_valid,
)
from pupil.functional.kl import kl_divergence
from pupil.functional.masking import masked_mean, masked_sum
from pupil.paper import Paper

Reduction = Literal["position", "batch", "element"]


def kd_loss(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    temperature: float = 1.0,
    reduction: Reduction = "position",
) -> Tensor:
    """Knowledge distillation: KL divergence from the teacher's softened classes to the student's.

    L = temperature² mean over images and positions of
        sum over classes of p_teacher log(p_teacher / p_student),  p = softmax(logits / temperature)

    Args:
        student: logits with the classes at dimension 1.
        teacher: logits of the same shape; they get no gradient.
        valid: positions that count, bool; None counts all, and none at all gives 0.
        temperature: softens both distributions. The default 1 is that of every released segmentation code;
            4 is usual in classification.
        reduction: what the sum over classes is averaged over.

            - "position": images and valid positions.
            - "batch": images; the valid positions of an image are summed.
            - "element": images, valid positions and classes.

    Shape:
        student, teacher: (N, K, ...); valid: (N, ...); returns a scalar.

    Raises:
        UsageError: for different shapes, a single class, a mask that does not fit, or a temperature <= 0.

    Reference:
        G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015 (no code released). For
        dense outputs: Y. Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019, which
        averages over positions as the default here does. Released code bases differ by a factor, with weight 1:

            - CIRKD, and the usual code for classification: "position", as it is.
            - StructKD cvpr_19, TorchDistiller, AICSD: "element" / temperature².
            - StructKD master: N "position", plus the teacher's entropy, which has no gradient; temperature 1.

    Example:
        >>> import torch
        >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 4.0]])
        >>> kd_loss(student, teacher, temperature=4.0)
        tensor(1.7751)
    """
    check_temperature(temperature)
    check_choice("reduction", reduction, get_args(Reduction))
    check_same_shape(student, teacher, channels_fix="use a teacher with the student's classes")
    check_channels(student, at_least=2, because="softmax over one channel is constant; use [0, logit] for a sigmoid")
    check_valid(valid, student)
    divergence = kl_divergence(student, teacher, dim=1, temperature=temperature)
    if reduction == "batch":
        return masked_sum(divergence, valid) * (temperature**2 / len(student))
    classes = student.shape[1] if reduction == "element" else 1
    return masked_mean(divergence, valid) * (temperature**2 / classes)


class KDLoss(nn.Module):
    """Knowledge distillation on logits, see :func:`kd_loss`.

    Args:
        temperature: softens both distributions.
        reduction: "position", "batch" or "element".

    Shape:
        student, teacher: (N, K, ...); valid: (N, ...) bool or None; returns a scalar.

    Example:
        >>> import torch
        >>> loss = KDLoss(temperature=4.0)
        >>> loss(torch.zeros(2, 21, 8, 8), torch.zeros(2, 21, 8, 8))
        tensor(0.)
    """

    paper = Paper(
        title="Distilling the Knowledge in a Neural Network",
        authors="G. Hinton, O. Vinyals, J. Dean",
        venue="preprint",
        year=2015,
        url="https://arxiv.org/abs/1503.02531",
    )

    def __init__(self, *, temperature: float = 1.0, reduction: Reduction = "position") -> None:
        super().__init__()
        check_temperature(temperature)
        check_choice("reduction", reduction, get_args(Reduction))
        self.temperature = temperature
        self.reduction: Reduction = reduction

    def forward(self, student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
        return kd_loss(student, teacher, valid, temperature=self.temperature, reduction=self.reduction)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, reduction={self.reduction!r}"
