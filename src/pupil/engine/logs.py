"""Where a training writes what it measures: metrics.jsonl always, and a tracker where one is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelerate import Accelerator

from pupil.run import Run


class Log:
    """Rows of one run.

    Args:
        run: its folder gets `metrics.jsonl` and the files of a tracker that writes any.
        accelerator: its `log_with` names the tracker.
        options: what the tracker shows as the run's settings.
    """

    def __init__(self, run: Run, accelerator: Accelerator, options: Mapping[str, Any]) -> None:
        self.run = run
        self.accelerator = accelerator
        self.options = options
        self._started = False

    def terms(
        self,
        step: int,
        steps: int,
        seconds: float,
        rate: float,
        terms: Mapping[str, float],
        observed: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """Append what a person reads about the steps since the last such row: the terms, and what losses noticed."""
        loss = sum(terms.values())
        row = {"step": step, "progress": step / steps, "seconds": seconds, "learning_rate": rate, "loss": loss}
        self.write({**row, "terms": dict(terms), **({"observed": observed} if observed else {})})

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row, which has a "step"."""
        self.run.log(row)
        if self.accelerator.log_with:
            self._start(row["step"])
            self.accelerator.log(_flat(row), step=row["step"])

    def close(self) -> None:
        """Let trackers finish what they write."""
        for tracker in self.accelerator.trackers if self._started else ():
            tracker.finish()

    def _start(self, step: int) -> None:
        if self._started:
            return
        self._started = True
        name, folder = self.run.folder.name, str(self.run.folder)
        # Trackers show numbers and texts alone.
        settings = {
            name: value if isinstance(value, int | float) else str(value) for name, value in self.options.items()
        }
        # A run that goes on shows no point twice: what was logged after its checkpoint is hidden.
        own = {"tensorboard": {"purge_step": step}, "wandb": {"name": name, "dir": folder}}
        self.accelerator.init_trackers("pupil", settings, own)


def status_line(step: int, steps: int, terms: Mapping[str, float], replaced: Sequence[str]) -> str:
    """What a person sees of a row.

    Example:
        >>> status_line(50, 200, {"task": 0.52, "kd": 0.1}, ["a.png"])
        'step 50/200  task 0.520  kd 0.100  images replaced: 1'
    """
    bad = [f"images replaced: {len(replaced)}"] if replaced else []
    return "  ".join([f"step {step}/{steps}", *(f"{name} {value:.3f}" for name, value in terms.items()), *bad])


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested numbers under one name each.

    Example:
        >>> _flat({"step": 3, "terms": {"task": 0.5}})
        {'terms/task': 0.5}
    """
    flat: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}/")
        elif name != "step":
            flat[prefix + name] = value
    return flat
