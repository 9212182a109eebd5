"""A lesson: one batch as student and teacher showed it, and the common ways to pick a loss's inputs from it.

Legend: N images, K classes, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.functional.resizing import resized


@dataclass(frozen=True)
class Activations:
    """What one network showed.

    Args:
        output: logits (N, K, ...), depth (N, 1, H, W), or a detector's record.
        features: what the call names itself ("aux", pyramid levels) and what is tapped, by name.
        batch: image and target as this network saw them, where its call transforms them.
    """

    output: Any
    features: Mapping[str, Tensor] = field(default_factory=dict)
    batch: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Lesson:
    """A batch as student and teacher showed it; teachers, wiring and weights are all functions of it.

    Args:
        image: what the student saw.
        target: the labels that belong to that image.
        student: the student's activations.
        teacher: the teacher's; None while the teacher is being asked, and where there is none.
        progress: finished optimizer steps / all steps: first 0.0, last < 1, always a Python float.
        sample: (N, 2) int64, index in the data set and view; for caches and memories.
    """

    image: Any
    target: Any
    student: Activations
    teacher: Activations | None = None
    progress: float = 0.0
    sample: Any = None


Kind = Literal["dense", "whole", "boxes"]
"""What a network answers with; a task asks networks of one kind."""
KINDS: Mapping[Kind, str] = {
    "dense": "a prediction at every position",
    "whole": "one prediction an image",
    "boxes": "boxes of objects",
}

Call = Callable[[nn.Module, Any, Any], Activations]
Teacher = Callable[[Lesson], Activations]
Inputs = Callable[[Lesson], tuple[Any, ...]]
Weight = float | Callable[[Lesson], float]
Resize = Literal["refuse", "student", "teacher", "smaller"]


def supervised(lesson: Lesson) -> tuple[Any, Any]:
    """The student's output and the target: what an ordinary task loss receives."""
    return lesson.student.output, lesson.target


def outputs(lesson: Lesson) -> tuple[Any, Any]:
    """The outputs of student and teacher, as they are."""
    return lesson.student.output, teacher_of(lesson).output


def dense_outputs(ignore_index: int | None = None, resize: Resize = "smaller") -> Inputs:
    """Logits of student and teacher on one grid, and which positions count.

    Args:
        ignore_index: target value of positions that count for nothing, except in images without any label, see
            :func:`valid_positions`; None counts every position.
        resize: what is resampled (bilinear) where the two grids differ, see :func:`same_size`.

    Returns:
        Inputs giving ``(student, teacher, valid)`` with shapes (N, K, H, W), (N, K, H, W) and (N, H, W) bool
        or None.
    """
    return partial(_dense_outputs, ignore_index=ignore_index, resize=resize)


def features(student: str, teacher: str | None = None, resize: Resize = "refuse") -> Inputs:
    """The features of one layer of the student and one of the teacher.

    Args:
        student: name of the student's layer, as it was tapped.
        teacher: name of the teacher's layer; None means the same name.
        resize: what is resampled where the spatial sizes differ, see :func:`same_size`.
    """
    return partial(_features, student=student, teacher=teacher or student, resize=resize)


def feature_of(shown: Activations, layer: str, who: str = "student") -> Tensor:
    """The feature of a layer, or the error that names those that are shown.

    Args:
        shown: the activations of one network.
        layer: its name, as it was tapped.
        who: whose activations they are, for the error.
    """
    if layer not in shown.features:
        known = ", ".join(shown.features) or "none"
        raise UsageError(
            f"expected {layer!r} among the features of the {who}, got {known}: add it to the tapped layers"
        )
    return shown.features[layer]


def teacher_of(lesson: Lesson) -> Activations:
    """The teacher's activations, or the error that says there are none."""
    if lesson.teacher is None:
        raise UsageError("these inputs need a teacher, got a lesson without one: give the Distiller a teacher")
    return lesson.teacher


def same_size(student: Tensor, teacher: Tensor, resize: Resize) -> tuple[Tensor, Tensor]:
    """Bring two maps to one spatial size by bilinear interpolation, gradients included.

    Args:
        student: (N, C, H, W).
        teacher: (N, C', H', W').
        resize: "student" brings the student's map to the teacher's size, "teacher" the reverse, "smaller" the
            larger map to the smaller size; "refuse" leaves both, so that the loss names the mismatch.

    Example:
        >>> small, large = torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 8, 8)
        >>> [tuple(each.shape) for each in same_size(small, large, "smaller")]
        [(1, 2, 4, 4), (1, 3, 4, 4)]
    """
    if resize not in get_args(Resize):
        raise unknown("resize", resize, get_args(Resize))
    if resize == "refuse" or student.shape[2:] == teacher.shape[2:]:
        return student, teacher
    if resize == "smaller":
        resize = "student" if student.shape[2:].numel() > teacher.shape[2:].numel() else "teacher"
    if resize == "student":
        return resized(student, teacher.shape[2:]), teacher
    return student, resized(teacher, student.shape[2:])


def valid_positions(target: Tensor, ignore_index: int | None, size: torch.Size) -> Tensor | None:
    """Which positions of a (possibly smaller) grid count: (N, H, W) bool, by nearest neighbour.

    A position counts where it carries a label; in an image that carries none at all, every position does, since there
    the teacher is the only one who labels.

    Args:
        target: (N, H', W') class ids; or (N, K, H', W') their probabilities, all zeros where there is no label.
        ignore_index: the value without meaning; None means that every position counts.
        size: the grid's (H, W).
    """
    if ignore_index is None:
        return None
    labelled = target.sum(dim=1) > 0 if target.is_floating_point() else target != ignore_index
    # On the device: asking whether there is such an image would make every step wait.
    valid = labelled | ~labelled.flatten(1).any(dim=1)[:, None, None]
    if valid.shape[-2:] == size:
        return valid
    # "nearest-exact" samples the centre of each cell; "nearest" would shift the mask by half a cell.
    return F.interpolate(valid[:, None].float(), size=tuple(size), mode="nearest-exact")[:, 0].bool()


def _dense_outputs(lesson: Lesson, *, ignore_index: int | None, resize: Resize) -> tuple[Tensor, Tensor, Tensor | None]:
    student, teacher = same_size(lesson.student.output, teacher_of(lesson).output, resize)
    return student, teacher, valid_positions(lesson.target, ignore_index, student.shape[2:])


def _features(lesson: Lesson, *, student: str, teacher: str, resize: Resize) -> tuple[Tensor, Tensor]:
    pair = feature_of(lesson.student, student), feature_of(teacher_of(lesson), teacher, "teacher")
    return pair if pair[0].dim() != 4 or pair[1].dim() != 4 else same_size(*pair, resize)
