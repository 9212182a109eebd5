"""What a person sees while training: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class ProgressLines:
    """Shows how far a run is: a bar with a status on a terminal, the status as lines elsewhere.

    Args:
        title: what is running.
        total: number of steps.
        console: where to print.
    """

    def __init__(self, title: str, total: int, console: Console | None = None) -> None:
        self.title = title
        self.total = total
        self.console = console or Console()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[status]}"), console=self.console, transient=True)
            self._task = self._bar.add_task(self.title, total=self.total, status="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def skip(self, steps: int) -> None:
        """So many steps were done by an earlier part of the run."""
        if self._bar:
            self._bar.update(self._task, completed=steps)

    def step(self) -> None:
        """One step is done."""
        if self._bar:
            self._bar.advance(self._task)

    def status(self, text: str) -> None:
        """How it stands now: beside the bar, or as a line."""
        if self._bar:
            self._bar.update(self._task, status=text)
        else:
            self.say(f"{self.title}  {text}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
