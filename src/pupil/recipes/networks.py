"""The student and the teacher that the options name, once they are known to tell the task's classes apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pupil.engine.options import Training
from pupil.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from pupil.tasks.task import Task


def load_teacher(options: Training, task: Task) -> nn.Module | None:
    """The trained network that the options name, once it is known to tell the task's classes apart.

    Raises:
        UsageError: if the folder is no run, nothing was trained, or it lacks classes of the data.
    """
    from pupil.models import FAMILIES, load_model
    from pupil.models.spec import parse
    from pupil.tasks.class_matching import matching, names_of

    if options.teacher is None:
        return None
    # A function of the reader's own is told how many classes; all others know their own.
    own_code = not Path(options.teacher).is_dir() and parse(options.teacher).family not in FAMILIES
    classes = len(task.classes) if own_code else None
    teacher = load_model(options.teacher, classes, kind=task.kind, trust=options.trust)
    if theirs := names_of(teacher):
        try:
            order = matching(theirs, task.classes)
        except UsageError as error:
            raise UsageError(f"teacher {options.teacher}: {error}") from None
        if order is not None:
            print(f"teacher {options.teacher}: {len(order)} of its {len(theirs)} classes are the data's, by name")
    return teacher


def load_student(options: Training, task: Task) -> nn.Module:
    """The network that the options name, to be trained on the task's classes.

    Raises:
        UsageError: if it starts from a run whose classes are others, or the same in another order.
    """
    from pupil.models import load_model
    from pupil.tasks.class_matching import matching, names_of

    student = load_model(options.student, len(task.classes), kind=task.kind, seed=options.seed, trust=options.trust)
    theirs = names_of(student)
    if theirs and matching(theirs, task.classes) is not None:
        raise UsageError(
            f"expected a student of the data's classes in their order, got those of {options.student!r} in another: "
            "name the same classes in the same order, or start from new weights"
        )
    if theirs:
        # Classes that were only numbered have names from here on.
        student.classes = tuple(task.classes)  # type: ignore[assignment]
    return student
