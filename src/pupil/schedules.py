"""Weights over progress: functions of the lesson that give one number, and the share that scales itself.

Progress runs from 0.0 at the first step to just under 1.0 at the last, so a schedule never counts epochs.
Every schedule can be pickled.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

from pupil.errors import UsageError, unknown
from pupil.lesson import Lesson, Weight


def linear(start: float, end: float) -> Weight:
    """From `start` to `end` in a straight line: start + (end - start) progress.

    Example:
        >>> linear(1.0, 0.0)(Lesson(None, None, None, progress=0.25))
        0.75
    """
    return partial(_linear, start=start, end=end)


def cosine(start: float, end: float) -> Weight:
    """From `start` to `end` along half a cosine: end + (start - end) (1 + cos(pi progress)) / 2."""
    return partial(_cosine, start=start, end=end)


def ramp_up(weight: Weight, until: float) -> Weight:
    """From zero to `weight` in a straight line, reached when progress is `until`.

    Args:
        weight: what is reached, a number or another schedule.
        until: progress in (0, 1].
    """
    if not 0.0 < until <= 1.0:
        raise UsageError(f"expected until in (0, 1], got {until}: it is a share of the run")
    _refuse_share(weight)
    return partial(_ramp_up, weight=weight, until=until)


def after(start: float, weight: Weight) -> Weight:
    """Zero until progress is `start`, then `weight`.

    Args:
        start: progress in [0, 1) at which the term begins.
        weight: a number or another schedule.
    """
    if not 0.0 <= start < 1.0:
        raise UsageError(f"expected start in [0, 1), got {start}: it is a share of the run")
    _refuse_share(weight)
    return partial(_after, start=start, weight=weight)


def adaptive(weight: float = 1.0, of: Literal["labels", "teacher"] = "labels") -> Weight:
    """Adaptive loss weighting (ALW): control passes from the teacher to the labels as training goes on.

    L = progress (L_task + L_icsd) + (1 - progress) L_pixel

    Args:
        weight: the term's own weight.
        of: "labels" grows as weight * progress, "teacher" fades as weight * (1 - progress).

    Reference:
        A. M. Mansourian et al., "AICSD: Adaptive Inter-Class Similarity Distillation for Semantic Segmentation",
        2023, code AmirMansurian/AICSD. The code divides the epoch by the constant 120, so a longer run turns the
        fading weight negative and a shorter one never reaches the labels; progress cannot.

    Example:
        >>> lesson = Lesson(None, None, None, progress=0.25)
        >>> adaptive(2.0)(lesson), adaptive(2.0, of="teacher")(lesson)
        (0.5, 1.5)
    """
    ends = {"labels": (0.0, weight), "teacher": (weight, 0.0)}
    if of not in ends:
        raise unknown("side of adaptive", of, ends)
    return linear(*ends[of])


def scaled(weight: float, schedule: Weight) -> Weight:
    """A schedule times a number."""
    _refuse_share(schedule)
    return partial(_scaled, weight=weight, schedule=schedule) if callable(schedule) else weight * schedule


class Share:
    """A weight that is relative to the task loss: share x ratio x schedule.

    The ratio is the gradient norm of the task loss over that of the term, measured where the term looks (the
    output, or a tapped layer). A weight tuned at one crop, batch and class count means nothing at another; a
    share of 0.5 means "half as strong a pull as the labels" everywhere. `pupil.engine.balance` measures it.

    Args:
        share: strength relative to the task loss, 1.0 pulls as hard as the labels.
        schedule: how the strength changes over the run, 1.0 for constant.

    Attributes:
        ratio: None until measured; set it to fix the weight by hand.

    Example:
        >>> weight = Share(0.5)
        >>> weight.ratio = 8.0
        >>> weight(Lesson(None, None, None))
        4.0
    """

    def __init__(self, share: float, schedule: Weight = 1.0) -> None:
        _refuse_share(schedule)
        self.share = share
        self.schedule = schedule
        self.ratio: float | None = None

    def acts(self, lesson: Lesson) -> bool:
        """Whether the weight differs from zero at this moment of the run."""
        return self.share != 0.0 and weight_at(self.schedule, lesson) != 0.0

    def __call__(self, lesson: Lesson) -> float:
        if not self.acts(lesson):
            return 0.0
        if self.ratio is None:
            raise UsageError(
                "this weight is a share of the task loss and has not been measured: "
                "call pupil.balance(distiller, batches) first, or pass a number as weight"
            )
        return self.share * self.ratio * weight_at(self.schedule, lesson)

    def __repr__(self) -> str:
        return f"Share({self.share}, ratio={self.ratio})"


def weight_at(weight: Weight, lesson: Lesson) -> float:
    """The value of a weight for this lesson, a number or a schedule alike."""
    return weight(lesson) if callable(weight) else weight


def _refuse_share(weight: Weight) -> None:
    # A share is measured where it is the weight of a term; inside another schedule nobody would find it.
    if isinstance(weight, Share):
        raise UsageError(
            f"expected a number or a schedule, got {weight}: put the schedule inside, Share(share, schedule)"
        )


def _scaled(lesson: Lesson, *, weight: float, schedule: Weight) -> float:
    return weight * weight_at(schedule, lesson)


def _linear(lesson: Lesson, *, start: float, end: float) -> float:
    return start + (end - start) * lesson.progress


def _cosine(lesson: Lesson, *, start: float, end: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * lesson.progress)) / 2.0


def _ramp_up(lesson: Lesson, *, weight: Weight, until: float) -> float:
    return weight_at(weight, lesson) * min(1.0, lesson.progress / until)


def _after(lesson: Lesson, *, start: float, weight: Weight) -> float:
    return weight_at(weight, lesson) if lesson.progress >= start else 0.0
