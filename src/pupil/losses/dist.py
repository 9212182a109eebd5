"""DIST: a stronger teacher is followed in what it prefers, by correlation, not in how sure it is.

Legend: N images, K classes, and any positions `...` after them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_channels, check_same_shape, check_temperature, check_valid
from pupil.functional.gathering import gathered
from pupil.functional.masking import masked_mean
from pupil.functional.temperature import soften
from pupil.paper import Paper


def dist_loss(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    temperature: float = 1.0,
    inter: float = 1.0,
    intra: float = 1.0,
    gather: bool = False,
) -> Tensor:
    """Compare softened classes by Pearson's correlation, within each prediction and within each class.

    L = temperature² (inter mean over images and positions of (1 - corr over classes of p(student), p(teacher))
                      + intra mean over classes of (1 - corr over images and positions of p(student), p(teacher))),
    p = softmax(logits / temperature). What is constant to within rounding correlates with nothing: 0, no gradient.

    Args:
        student: logits with the classes at dimension 1.
        teacher: logits of the same shape; they get no gradient.
        valid: positions that count, bool; None counts all.
        temperature: softens both distributions.
        inter: weight of the correlations over the classes; 0 leaves them out.
        intra: weight of the correlations over the batch; 0 leaves them out.
        gather: correlate over the images of all processes that share a batch, not this one's alone.

    Shape:
        student, teacher: (N, K, ...); valid: (N, ...); returns a scalar.

    Raises:
        UsageError: for different shapes, a single class, a mask that does not fit, a temperature <= 0, or no weight
            above zero.

    Reference:
        T. Huang, S. You, F. Wang, C. Qian, C. Xu, "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022; code
        hunto/DIST_KD, with temperature 1 and both weights 1. The code adds 1e-8 to the product of the norms, which
        weakens classes that are hardly ever probable; the paper does not, nor does this. Maps are compared as there:
        every position is a prediction, and a class is compared over all positions of the batch. No golden values
        exist: the tests compare with the definition written out as loops.

    Example:
        >>> logits = torch.randn(6, 5)
        >>> dist_loss(logits + 3, logits) < 1e-6
        tensor(True)
    """
    check_temperature(temperature)
    _check(inter, intra)
    check_same_shape(student, teacher, channels_fix="use a teacher with the student's classes")
    check_channels(student, at_least=2, because="softmax over one channel is constant; use [0, logit] for a sigmoid")
    check_valid(valid, student)
    ours, theirs = (soften(logits, temperature).softmax(1) for logits in (student, teacher.detach()))
    loss = ours.new_zeros(())
    if inter:
        over_classes = _correlation(ours, theirs, _class_mean).squeeze(1)
        loss = loss + inter * masked_mean(1 - over_classes, valid)
    if intra:
        mean = partial(_batch_mean, valid=valid, gather=gather)
        # One, or zero where no position counts in any process.
        counted = mean(torch.ones_like(ours[:, :1]))
        loss = loss + intra * (counted * (1 - _correlation(ours, theirs, mean))).mean()
    return loss * temperature**2


class DISTLoss(nn.Module):
    """DIST as a module: :func:`dist_loss` with its settings stored.

    Args:
        temperature: softens both distributions.
        inter: weight of the correlations over the classes.
        intra: weight of the correlations over the batch.
        gather: correlate over the images of all processes that share a batch, not each process's alone.

    Shape:
        student, teacher: (N, K, ...); valid: (N, ...) bool or None; returns a scalar.

    Reference:
        See :func:`dist_loss` and the attribute ``paper``.

    Example:
        >>> DISTLoss()(torch.randn(4, 5), torch.randn(4, 5)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Knowledge Distillation from A Stronger Teacher",
        authors="T. Huang, S. You, F. Wang, C. Qian, C. Xu",
        venue="NeurIPS",
        year=2022,
        url="https://arxiv.org/abs/2205.10536",
        code="hunto/DIST_KD",
    )

    def __init__(
        self, *, temperature: float = 1.0, inter: float = 1.0, intra: float = 1.0, gather: bool = True
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        _check(inter, intra)
        self.temperature, self.inter, self.intra, self.gather = temperature, inter, intra, gather

    def forward(self, student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
        settings = {"temperature": self.temperature, "inter": self.inter, "intra": self.intra}
        return dist_loss(student, teacher, valid, **settings, gather=self.gather)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, inter={self.inter}, intra={self.intra}"


def _correlation(ours: Tensor, theirs: Tensor, mean: Callable[[Tensor], Tensor]) -> Tensor:
    """Pearson's correlation, given what is averaged over; its means keep their dimensions."""
    (ours, our_inverse), (theirs, their_inverse) = (_centred(each, mean) for each in (ours, theirs))
    return mean(ours * theirs) * our_inverse * their_inverse


def _centred(values: Tensor, mean: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The values without their mean, and the inverse of their standard deviation; 0 where they are constant."""
    middle = mean(values)
    centred = values - middle
    variance = mean(centred.square())
    rounding = (8 * torch.finfo(values.dtype).eps * middle.detach()).square().clamp_min(1e-24)
    # The inverse of infinity is 0, and so is its gradient.
    return centred, variance.masked_fill(variance <= rounding, torch.inf).rsqrt()


def _class_mean(values: Tensor) -> Tensor:
    return values.mean(1, keepdim=True)


def _batch_mean(values: Tensor, *, valid: Tensor | None, gather: bool) -> Tensor:
    """The mean over images and positions, (1, K, 1, ...), of all processes where they share a batch."""
    over = [dim for dim in range(values.dim()) if dim != 1]
    if valid is None:
        mean = values.mean(over, keepdim=True)
        # Processes hold equally many images.
        return gathered(mean).mean(0, keepdim=True) if gather else mean
    total = torch.where(valid.unsqueeze(1), values, 0.0).sum(over, keepdim=True)
    count = valid.sum().to(values.dtype).view_as(total[:, :1])
    if gather:
        total, count = (gathered(each).sum(0, keepdim=True) for each in (total, count))
    return total / count.clamp_min(1)


def _check(inter: float, intra: float) -> None:
    if min(inter, intra) < 0 or max(inter, intra) == 0:
        raise UsageError(f"expected a weight above zero, got inter={inter} and intra={intra}: 1 and 1 are usual")
