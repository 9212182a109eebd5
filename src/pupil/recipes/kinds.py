"""What the tasks differ in where a finished run is used again: its task, its validation data, its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from pupil.errors import UsageError

if TYPE_CHECKING:
    from pupil.data.own_code import NamedClasses
    from pupil.data.transforms import Transform
    from pupil.recipes.predictions import Writer
    from pupil.tasks.task import Task

TASKS = ("segmentation", "classification", "lanes", "detection")


class Kind(Protocol):
    """The recipe of a task, as a finished run needs it; `record` is that of run.json."""

    def said_by(self, data: Any) -> dict[str, Any]:
        """What data say of themselves and of the scores on them, as the record has it."""
        ...

    def task_from(self, record: Mapping[str, Any], objective: Mapping[str, Any] | None = None) -> Task:
        """The task as the run remembers it."""
        ...

    def validation_from(
        self, record: Mapping[str, Any], spec: str, format: str | None, *, split: str, own_classes: bool
    ) -> NamedClasses:
        """A split of the data that a text names; `own_classes` if they may have other classes than the run."""
        ...

    def view_of(self, record: Mapping[str, Any]) -> Transform | None:
        """How an image becomes what the task predicts on; None where that takes it as it is."""
        ...

    def writer(self, record: Mapping[str, Any], task: Task, out: Path) -> Writer:
        """Where the predictions on images go."""
        ...


def kind_of(record: Mapping[str, Any]) -> Kind:
    """The recipe of a run's task.

    Raises:
        UsageError: for a task of a later version.
    """
    if record["task"] not in TASKS:
        raise UsageError(f"expected a run of {' or '.join(TASKS)}, got {record['task']!r}: update pupil")
    return cast(Kind, import_module(f"pupil.recipes.{record['task']}"))
