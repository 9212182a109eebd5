"""Adaptive instance distillation of a dense detector's outputs: box distributions and classes, each by its own trust.

Legend: N images, A positions of a level, B bins of a box edge, K classes, L levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_same_shape, check_temperature
from pupil.functional.importance import adaptive_weights, check_alpha, importance_of_levels
from pupil.functional.kl import kl_divergence
from pupil.losses.aid import AIDLoss

Level = tuple[Tensor, Tensor]


def aid_logits_loss(
    student: Sequence[Level],
    teacher: Sequence[Level],
    task_loss: tuple[Tensor, Tensor],
    position_weights: Sequence[Tensor],
    *,
    alpha: float = 0.1,
    box_temperature: float = 10.0,
    class_temperature: float = 2.0,
    box_weight: float = 0.25,
    class_weight: float = 0.05,
) -> Tensor:
    """Localization distillation and distillation of classes, weighted by the teacher's box loss and class loss.

    L = sum over levels of box_weight   sum over images and positions of exp(-alpha D_box) p KL_box / 4
                         + class_weight mean over images and positions of exp(-alpha D_class) KL_class

    KL_box is summed over the four edges, each a distribution over bins; both divergences are of softened
    distributions, teacher to student, times temperature², and means over bins and over classes.

    Args:
        student: for each level the logits of the boxes and of the classes.
        teacher: the same of the teacher.
        task_loss: the teacher's box loss and class loss, each of shape (), (N,), (L, 1) or (L, N).
        position_weights: for each level how much a position's box counts, p, a constant. Divide them by their sum over
            all levels, as the released head does, so that the term does not grow with the number of objects.
        alpha: how fast trust fades.
        box_temperature: softens the distributions of the edges.
        class_temperature: softens the distributions of the classes.
        box_weight: factor of the first term.
        class_weight: factor of the second term.

    Shape:
        student, teacher: L pairs of (N, A, 4, B) and (N, A, K); position_weights: L times (N, A); returns a scalar.

    Raises:
        UsageError: for levels of different number or shape, negative losses, or temperatures <= 0.

    Reference:
        Q. Lan, Q. Tian, "Adaptive Instance Distillation for Object Detection in Autonomous Driving", ICPR 2022, on top
        of Z. Zheng et al., "Localization Distillation for Dense Object Detection", CVPR 2022. The code lanqz7766/AID
        has a weight a level, and weighs only where the box loss is positive; here a level without boxes has p = 0.

    Example:
        >>> boxes, classes = torch.zeros(2, 5, 4, 8), torch.zeros(2, 5, 3)
        >>> none = torch.zeros(())
        >>> aid_logits_loss([(boxes, classes)], [(boxes, classes)], (none, none), [torch.ones(2, 5)])
        tensor(0.)
    """
    _check(alpha, box_temperature, class_temperature)
    if not 0 < len(student) == len(teacher) == len(position_weights):
        raise UsageError(
            f"expected as many levels of both networks and of weights, got {len(student)}, {len(teacher)} and "
            f"{len(position_weights)}: pass one pair of logits and one weight a level"
        )
    images = len(student[0][0])
    box_trust, class_trust = (
        importance_of_levels(adaptive_weights(loss, alpha), len(student), images) for loss in task_loss
    )
    terms = []
    for ours, theirs, position, box, label in zip(
        student, teacher, position_weights, box_trust, class_trust, strict=True
    ):
        boxes = _divergence(ours[0], theirs[0], box_temperature).sum(2) / 4
        classes = _divergence(ours[1], theirs[1], class_temperature)
        if position.shape != classes.shape or boxes.shape != classes.shape:
            raise UsageError(
                f"expected boxes and weights at the {tuple(classes.shape)} positions of the classes, got "
                f"{tuple(boxes.shape)} and {tuple(position.shape)}: take the logits of one level"
            )
        terms.append(box_weight * (boxes * position.detach() * box[:, None]).sum())
        terms.append(class_weight * (classes * label[:, None]).sum() / max(classes.numel(), 1))
    return torch.stack(terms).sum()


class AIDLogitsLoss(nn.Module):
    """Adaptive instance distillation of box distributions and classes, see :func:`aid_logits_loss`.

    Args:
        alpha: how fast trust fades.
        box_temperature: softens the distributions of the edges.
        class_temperature: softens the distributions of the classes.
        box_weight: factor of the boxes.
        class_weight: factor of the classes.

    Shape:
        student, teacher: L pairs of (N, A, 4, B) and (N, A, K); task_loss: a pair of (), (N,), (L, 1) or (L, N);
        position_weights: L times (N, A); returns a scalar.

    Example:
        >>> boxes, classes, fits = torch.zeros(2, 5, 4, 8), torch.zeros(2, 5, 3), torch.zeros(2)
        >>> AIDLogitsLoss()([(boxes, classes)], [(boxes, classes)], (fits, fits), [torch.ones(2, 5)])
        tensor(0.)
    """

    paper = AIDLoss.paper

    def __init__(
        self,
        *,
        alpha: float = 0.1,
        box_temperature: float = 10.0,
        class_temperature: float = 2.0,
        box_weight: float = 0.25,
        class_weight: float = 0.05,
    ) -> None:
        super().__init__()
        _check(alpha, box_temperature, class_temperature)
        self.alpha = alpha
        self.box_temperature, self.class_temperature = box_temperature, class_temperature
        self.box_weight, self.class_weight = box_weight, class_weight

    def forward(
        self,
        student: Sequence[Level],
        teacher: Sequence[Level],
        task_loss: tuple[Tensor, Tensor],
        position_weights: Sequence[Tensor],
    ) -> Tensor:
        return aid_logits_loss(
            student,
            teacher,
            task_loss,
            position_weights,
            alpha=self.alpha,
            box_temperature=self.box_temperature,
            class_temperature=self.class_temperature,
            box_weight=self.box_weight,
            class_weight=self.class_weight,
        )

    def extra_repr(self) -> str:
        return (
            f"alpha={self.alpha}, box_temperature={self.box_temperature}, "
            f"class_temperature={self.class_temperature}, box_weight={self.box_weight}, "
            f"class_weight={self.class_weight}"
        )


def _divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL along the last dimension, as a mean over its entries and times temperature²."""
    check_same_shape(student, teacher, channels_fix="use a teacher with the student's bins and classes")
    divergence = kl_divergence(student, teacher, dim=-1, temperature=temperature)
    return divergence * (temperature**2 / max(student.shape[-1], 1))


def _check(alpha: float, box_temperature: float, class_temperature: float) -> None:
    check_alpha(alpha)
    check_temperature(box_temperature)
    check_temperature(class_temperature)
