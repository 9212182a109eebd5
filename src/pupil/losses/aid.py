"""Adaptive instance distillation (AID): a teacher is imitated where it fits the labels itself.

Legend: N images, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pupil.functional.importance import adaptive_weights, check_alpha
from pupil.observations import Observations
from pupil.paper import Paper

TYPICAL = 0.8  # the mean weight at which a teacher's judgement begins to tell, between 0.7 and 0.9


class AIDLoss(nn.Module):
    """Weighs a distillation loss by how well the teacher fits the labels: exp(-alpha D), D the teacher's task loss.

    L = mean over images of exp(-alpha D_i) L_distillation,i,  and alike for each level of a pyramid

    What the teacher does not know is left to the labels: the task loss of the student stays as it is. A teacher that
    was trained on these images has a small D, so that the weights are near 1; alpha = -ln(0.8) / the mean of D brings
    their mean near 0.8. (The mean and not the median, since levels without objects have a D near 0, and are most.) The
    scale of D is the detector's own. An image without objects has a small D too, and is imitated fully unless
    ``counted`` leaves it out. The weights are shown to the log by the child ``trust``.

    Args:
        loss: any loss that takes (student, teacher, importance): :class:`FBKDLoss`, or one of its parts.
        alpha: how fast trust fades.

    Shape:
        student, teacher: what the loss takes; task_loss: the teacher's own loss without a gradient, whose shape says
        what a weight belongs to: (N,) an image, (L, N) an image and level, (L, 1) a level, () the batch, see
        :func:`pupil.functional.importance.teacher_task_loss`; counted: (N,), images that take part, or None for all;
        returns a scalar.

    Raises:
        UsageError: for a negative alpha or task loss, or a shape that the loss has no use for. A loss that is not
            finite counts with weight 0 and warns; see :func:`pupil.functional.importance.adaptive_weights`.

    Reference:
        Q. Lan, Q. Tian, "Adaptive Instance Distillation for Object Detection in Autonomous Driving", ICPR 2022: a
        weight an image. The code lanqz7766/AID has a weight a level, from the mean loss of the batch, "batch_norm", and
        in several of its files takes D of the student's features; here D is whatever is passed, and the teacher's own
        is meant. With (L, 1) and "batch_norm" this is the code.

    Example:
        >>> import torch
        >>> from pupil.losses import FBKDLoss
        >>> loss = AIDLoss(FBKDLoss({"p3": (8, 16)}, inner_channels=[4]))
        >>> student, teacher = {"p3": torch.randn(2, 8, 8, 8)}, {"p3": torch.randn(2, 16, 8, 8)}
        >>> loss(student, teacher, torch.tensor([[0.3, 2.5]])).shape
        torch.Size([])
    """

    paper = Paper(
        title="Adaptive Instance Distillation for Object Detection in Autonomous Driving",
        authors="Q. Lan, Q. Tian",
        venue="ICPR",
        year=2022,
        url="https://arxiv.org/abs/2201.11097",
        code="lanqz7766/AID",
    )

    def __init__(self, loss: nn.Module, *, alpha: float = 0.1) -> None:
        super().__init__()
        check_alpha(alpha)
        self.loss = loss
        self.alpha = alpha
        self.trust = Trust(alpha)

    def forward(self, student: object, teacher: object, task_loss: Tensor, counted: Tensor | None = None) -> Tensor:
        weights = adaptive_weights(task_loss, self.alpha)
        self.trust(weights if counted is None else torch.where(counted > 0, weights, torch.nan))
        weighted: Tensor = self.loss(student, teacher, weights if counted is None else weights * counted)
        return weighted

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class Trust(Observations):
    """The weights of :class:`AIDLoss`, for the log.

    Args:
        alpha: how fast trust fades.

    Example:
        >>> print(Trust(alpha=0.1).explain({"min": 0.97, "median": 0.99, "mean": 0.99, "max": 1.0}))
        AID's weights have a mean of 0.99 (0.97 to 1.00): all is imitated nearly alike; to tell more apart, alpha=2.2 \
brings the mean near 0.8
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def explain(self, observed: Mapping[str, float]) -> str | None:
        mean = observed["mean"]
        found = f"AID's weights have a mean of {mean:.2f} ({observed['min']:.2f} to {observed['max']:.2f})"
        if not 0 < mean < 1:
            return found
        better = f"alpha={self.alpha * math.log(TYPICAL) / math.log(mean):.2g} brings the mean near {TYPICAL:g}"
        if mean > 0.9:
            return f"{found}: all is imitated nearly alike; to tell more apart, {better}"
        return f"{found}: little is imitated; for more, {better}" if mean < 0.7 else found
