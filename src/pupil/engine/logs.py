"""Where a training writes what it measures: metrics.jsonl always, and a tracker where one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
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
        if accelerator.log_with:
            # Trackers show numbers and texts alone.
            settings = {
                name: value if isinstance(value, int | float) else str(value) for name, value in options.items()
            }
            accelerator.init_trackers("pupil", settings, {"wandb": {"name": run.folder.name, "dir": str(run.folder)}})

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row, which has a "step"."""
        self.run.log(row)
        if self.accelerator.log_with:
            self.accelerator.log(_flat(row), step=row["step"])

    def close(self) -> None:
        """Let trackers finish what they write."""
        for tracker in self.accelerator.trackers:
            tracker.finish()


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
