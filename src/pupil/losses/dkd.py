"""Decoupled distillation (DKD): how sure the teacher is, and what it thinks of the other classes, weighted apart.

Legend: N images, K classes, and any positions `...` after them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_channels, check_same_shape, check_temperature, check_valid
from pupil.functional.kl import kl_divergence
from pupil.functional.masking import HIDDEN, masked_mean
from pupil.functional.temperature import soften
from pupil.paper import Paper


def dkd_loss(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    *,
    temperature: float = 4.0,
    target_weight: float = 1.0,
    other_weight: float = 8.0,
) -> Tensor:
    """Decoupled knowledge distillation: the divergence of "is it the target" and that among the other classes.

    L = temperature² mean over images and positions of
        target_weight KL(b_teacher || b_student) + other_weight KL(q_teacher || q_student);
    b = (p_target, 1 - p_target),  q = softmax over the other classes,  p = softmax, all of logits / temperature.
    With weights 1 and 1 - p_target(teacher) this is :func:`pupil.losses.kd_loss`.

    Args:
        student: logits with the classes at dimension 1.
        teacher: logits of the same shape; they get no gradient.
        target: class ids; where an id is outside 0 ... K - 1 (255, -100, ...) the position counts for nothing.
        valid: positions that count besides, bool; None counts all, and none at all gives 0.
        temperature: softens both distributions.
        target_weight: of the target class against all others (TCKD), alpha in the paper.
        other_weight: of the other classes among themselves (NCKD), beta in the paper.

    Shape:
        student, teacher: (N, K, ...); target: (N, ...) integer; valid: (N, ...); returns a scalar.

    Raises:
        UsageError: for different shapes, a single class, a target that is not one class id for each position (a mixed
            one has no other classes), a mask that does not fit, or a temperature <= 0.

    Reference:
        B. Zhao, Q. Cui, R. Song, Y. Qiu, J. Liang, "Decoupled Knowledge Distillation", CVPR 2022, equation 7; code
        megvii-research/mdistiller. Value and factors are the code's, for (N, K). The code takes the logarithm of
        a softmax, infinite where a class has no probability left, where this does not. Its defaults for CIFAR-100 are
        the ones here; for ImageNet it has temperature 1 and weights 1 and 0.5. No golden values exist: the tests
        compare with the definition written out as loops.

    Example:
        >>> student, teacher = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 4.0]])
        >>> dkd_loss(student, teacher, torch.tensor([0]))
        tensor(14.7745)
    """
    check_temperature(temperature)
    check_same_shape(student, teacher, channels_fix="use a teacher with the student's classes")
    check_channels(student, at_least=2, because="there is no other class than the target; use KDLoss with [0, logit]")
    check_valid(valid, student)
    expected = (student.shape[0], *student.shape[2:])
    if target.is_floating_point() or tuple(target.shape) != expected:
        raise UsageError(
            f"expected one class id for each position, integers of shape {expected}, got {target.dtype} of shape "
            f"{tuple(target.shape)}: DKD takes no mixed or softened target, use KDLoss with those"
        )
    counts = (target >= 0) & (target < student.shape[1])
    ids = torch.where(counts, target, 0).long().unsqueeze(1)
    ours, theirs = (_decoupled(logits, ids, temperature) for logits in (student, teacher.detach()))
    sure, others = (kl_divergence(own, other, dim=1) for own, other in zip(ours, theirs, strict=True))
    divergence = target_weight * sure + other_weight * others
    return masked_mean(divergence, counts if valid is None else counts & valid) * temperature**2


class DKDLoss(nn.Module):
    """Decoupled knowledge distillation as a module: :func:`dkd_loss` with its settings stored.

    Args:
        temperature: softens both distributions.
        target_weight: of the target class against all others.
        other_weight: of the other classes among themselves.

    Shape:
        student, teacher: (N, K, ...); target: (N, ...) integer; valid: (N, ...) bool or None; returns a scalar.

    Reference:
        See :func:`dkd_loss` and the attribute ``paper``.

    Example:
        >>> logits = torch.randn(2, 5), torch.randn(2, 5)
        >>> DKDLoss()(*logits, torch.tensor([0, 3])).shape
        torch.Size([])
    """

    paper = Paper(
        title="Decoupled Knowledge Distillation",
        authors="B. Zhao, Q. Cui, R. Song, Y. Qiu, J. Liang",
        venue="CVPR",
        year=2022,
        url="https://arxiv.org/abs/2203.08679",
        code="megvii-research/mdistiller",
    )

    def __init__(self, *, temperature: float = 4.0, target_weight: float = 1.0, other_weight: float = 8.0) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature, self.target_weight, self.other_weight = temperature, target_weight, other_weight

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
        return dkd_loss(
            student,
            teacher,
            target,
            valid,
            temperature=self.temperature,
            target_weight=self.target_weight,
            other_weight=self.other_weight,
        )

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, target_weight={self.target_weight}, other_weight={self.other_weight}"


def _decoupled(logits: Tensor, ids: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Logits of "the target or another class", (N, 2, ...), and of the other classes, (N, K, ...)."""
    softened = soften(logits, temperature)
    others = softened.scatter(1, ids, HIDDEN)
    return torch.cat([softened.gather(1, ids), others.logsumexp(1, keepdim=True)], dim=1), others
