"""Teacher-free KD (Tf-KD): the teacher is made up, always right and equally unsure of all other classes.

Legend: N images, K classes, and any positions `...` after them (none, L, H x W).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_channels, check_choice, check_temperature
from pupil.functional.kl import kl_divergence
from pupil.functional.labels import IGNORED, label_probabilities
from pupil.functional.masking import masked_mean
from pupil.paper import Paper

Variant = Literal["paper", "code"]


def tf_kd_loss(
    student: Tensor,
    target: Tensor,
    *,
    temperature: float = 20.0,
    confidence: float = 0.99,
    variant: Variant = "paper",
    ignore_index: int = IGNORED,
) -> Tensor:
    """KL divergence from a virtual teacher, who gives the right class a fixed probability and the others the rest.

    p(k) = confidence for the right class, (1 - confidence) / (K - 1) for each other;
    "paper": L = temperature² mean of KL(p^(1 / temperature) / sum || softmax(z / temperature));
    "code":  L = mean of KL(softmax(p / temperature) || softmax(z)),  z the student's logits,
    each the mean over images and positions.

    Args:
        student: logits.
        target: class ids; or probabilities, as mixed images have them, of which the teacher's logits are mixed.
        temperature: softens the virtual teacher, 20 or more in the paper, and the student too unless as in the code.
        confidence: probability of the right class, above 1 / K; the paper says 0.9 or more, the code 0.99.
        variant: "paper" or "code", as above.
        ignore_index: id of positions that count for nothing; probabilities that are all zeros count for nothing either.

    Shape:
        student: (N, K, ...); target: (N, ...) int64 or (N, K, ...); returns a scalar.

    Raises:
        UsageError: for a target that does not fit, a temperature <= 0, or a confidence outside (1 / K, 1).

    Reference:
        L. Yuan, F. E. H. Tay, G. Li, T. Wang, J. Feng, "Revisiting Knowledge Distillation via Label Smoothing
        Regularization", CVPR 2020, the form without any teacher (Tf-KD reg); code
        yuanli2333/Teacher-free-Knowledge-Distillation. The code softens the virtual teacher's probabilities as if they
        were logits, so that it is almost even, leaves the student as it is, and averages over classes too, times a
        multiplier: its term is multiplier / K times "code" here, and multiplier / K is 1 on CIFAR-100. The total is
        0.9 CE + 0.1 of the term there. The other form (Tf-KD self) is :func:`~pupil.losses.kd_loss` with a trained
        network of the student's own kind as teacher.

    Example:
        >>> import torch
        >>> tf_kd_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
        tensor(2.6221)
    """
    _check(temperature, confidence, variant)
    check_channels(student, at_least=2, because="the virtual teacher spreads the rest over other classes")
    classes = student.shape[1]
    if not confidence * classes > 1.0:
        raise UsageError(
            f"expected a confidence above 1 / {classes} for {classes} classes, got {confidence}: 0.99 is usual"
        )
    probabilities, labelled = label_probabilities(target, student, ignore_index)
    other = (1.0 - confidence) / (classes - 1)
    # Only the gap between the right class and the others matters in a softmax.
    if variant == "code":
        virtual = probabilities * ((confidence - other) / temperature)
        return masked_mean(kl_divergence(student, virtual, dim=1), labelled)
    virtual = probabilities * math.log(confidence / other)
    return masked_mean(kl_divergence(student, virtual, dim=1, temperature=temperature), labelled) * temperature**2


class TfKDLoss(nn.Module):
    """Distillation from a virtual teacher, see :func:`tf_kd_loss`.

    Args:
        temperature: softens the virtual teacher.
        confidence: its probability of the right class.
        variant: "paper" or "code".
        ignore_index: id of positions that count for nothing.

    Shape:
        student: (N, K, ...); target: (N, ...) int64 or (N, K, ...); returns a scalar.

    Example:
        >>> import torch
        >>> TfKDLoss()(torch.randn(2, 10), torch.tensor([3, 7])).shape
        torch.Size([])
    """

    paper = Paper(
        title="Revisiting Knowledge Distillation via Label Smoothing Regularization",
        authors="L. Yuan, F. E. H. Tay, G. Li, T. Wang, J. Feng",
        venue="CVPR",
        year=2020,
        url="https://arxiv.org/abs/1909.11723",
        code="yuanli2333/Teacher-free-Knowledge-Distillation",
    )

    def __init__(
        self,
        *,
        temperature: float = 20.0,
        confidence: float = 0.99,
        variant: Variant = "paper",
        ignore_index: int = IGNORED,
    ) -> None:
        super().__init__()
        _check(temperature, confidence, variant)
        self.temperature, self.confidence, self.ignore_index = temperature, confidence, ignore_index
        self.variant: Variant = variant

    def forward(self, student: Tensor, target: Tensor) -> Tensor:
        return tf_kd_loss(
            student,
            target,
            temperature=self.temperature,
            confidence=self.confidence,
            variant=self.variant,
            ignore_index=self.ignore_index,
        )

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, confidence={self.confidence}, variant={self.variant!r}"


def _check(temperature: float, confidence: float, variant: Variant) -> None:
    check_temperature(temperature)
    check_choice("variant", variant, get_args(Variant))
    if not 0.0 < confidence < 1.0:
        raise UsageError(f"expected a confidence in (0, 1), got {confidence}: 0.99 is usual")
