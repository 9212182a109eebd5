"""The rows of a results table: the runs of one method over all its seeds, and its gain paired with the control."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pupil.errors import UsageError
from pupil.numbers import Measure

CONTROL = "none"
SECONDS = "none-seconds"
TEACHER = "teacher"
CONTROLS = {
    CONTROL: "the student alone, equal steps",
    SECONDS: "the student alone, equal seconds",
    "label-smoothing": "the student alone, smoothed labels",
}

Summary = Mapping[str, Any]


def label_of(summary: Summary) -> str:
    """What the row of a run is called in a table.

    Example:
        >>> label_of({"role": "teacher", "method": "none"}), label_of({"role": "student", "method": "kd"})
        ('teacher', 'kd')
    """
    return TEACHER if summary["role"] == TEACHER else str(summary["method"])


@dataclass(frozen=True)
class Row:
    """One method (or the teacher) over all its seeds.

    Args:
        role: ``teacher`` or ``student``.
        method: name of the method.
        name: name of the network.
        parameters: its parameter count.
        values: score by seed, in [0, 1].
        gains: score minus that of the control with the same seed; seeds without a control are absent.
        scores: every metric, averaged over the seeds.
        milliseconds, steps, seconds: averages over the seeds; None where no run says.
        extra: parameters that are trained beside the network and then left behind.
    """

    role: str
    method: str
    name: str
    parameters: int
    values: Mapping[int, float]
    gains: Mapping[int, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    milliseconds: float | None = None
    steps: float | None = None
    seconds: float | None = None
    extra: float | None = None

    @property
    def label(self) -> str:
        """What the row is called in a table."""
        return TEACHER if self.role == TEACHER else self.method

    @property
    def is_control(self) -> bool:
        """Whether no knowledge is distilled in this row."""
        return self.role == "teacher" or self.method in CONTROLS

    @cached_property
    def value(self) -> Measure:
        """The score over the seeds."""
        return Measure.of(self.values.values())

    @cached_property
    def alone(self) -> Measure | None:
        """The score of the student alone, over the seeds of the gain; None where there is no gain."""
        return Measure.of(self.values[seed] - gain for seed, gain in self.gains.items()) if self.gains else None

    @cached_property
    def gain(self) -> Measure | None:
        """The paired gain over the seeds; None where no seed has a control, and for the control itself."""
        return Measure.of(self.gains.values()) if self.gains else None


def aggregate(summaries: Sequence[Summary]) -> list[Row]:
    """One row for each (role, method): teachers first, then the controls, then the methods as they came.

    A teacher that the students name but that has no summary of its own gets a row with its name, size and score.

    Args:
        summaries: contents of summary.json, one for each run.

    Raises:
        UsageError: for no summaries, for two metrics or tasks in one table, for a seed that comes twice in a row, and
            for two networks under one method.
    """
    if not summaries:
        raise UsageError("expected at least one summary, got none: train something first")
    for key in ("task", "metric"):
        if len(kinds := {summary[key] for summary in summaries}) > 1:
            raise UsageError(f"expected one {key} in a table, got {', '.join(sorted(kinds))}: make a table for each")
    groups: dict[tuple[str, str], list[Summary]] = {}
    for summary in summaries:
        groups.setdefault((summary["role"], summary["method"]), []).append(summary)
    alone = {each["seed"]: each["value"] for each in groups.get(("student", CONTROL), [])}
    rows = [_row(group, alone) for group in groups.values()]
    if not any(row.role == "teacher" for row in rows):
        rows += _named_teachers(summaries)
    return sorted(rows, key=_rank)


def best(rows: Iterable[Row]) -> Row | None:
    """The method (never a control) with the highest mean gain, or the highest score where no gain is known."""
    methods = [row for row in rows if not row.is_control]
    paired = [row for row in methods if row.gain is not None]
    return max(paired or methods, key=lambda row: (row.gain or row.value).mean, default=None)


def _row(group: Sequence[Summary], alone: Mapping[int, float]) -> Row:
    first = group[0]
    label = f"{first['role']} {first['method']!r}"
    values: dict[int, float] = {}
    for each in group:
        if each["student"] != first["student"]:
            names = f"{first['student']['name']} and {each['student']['name']}"
            raise UsageError(f"expected one network for {label}, got {names}: make a table for each network")
        if each["seed"] in values:
            raise UsageError(f"expected one run a seed for {label}, got seed {each['seed']} twice: leave one out")
        values[each["seed"]] = each["value"]
    compared = first["role"] == "student" and first["method"] != CONTROL
    return Row(
        role=first["role"],
        method=first["method"],
        name=first["student"]["name"],
        parameters=first["student"]["parameters"],
        values=values,
        gains={seed: value - alone[seed] for seed, value in values.items() if compared and seed in alone},
        scores={
            metric: statistics.fmean(each["metrics"][metric] for each in group)
            for metric in first.get("metrics", {})
            if all(metric in each["metrics"] for each in group)
        },
        milliseconds=_average(group, "milliseconds_per_image"),
        steps=_average(group, "steps"),
        seconds=_average(group, "seconds"),
        extra=_average(group, "extra_parameters"),
    )


def _average(group: Sequence[Summary], key: str) -> float | None:
    numbers = [each[key] for each in group if each.get(key) is not None]
    return statistics.fmean(numbers) if numbers else None


def _named_teachers(summaries: Sequence[Summary]) -> list[Row]:
    named = {
        (teacher["name"], teacher["parameters"], teacher["value"]): summary["seed"]
        for summary in reversed(summaries)
        if (teacher := summary.get("teacher")) and teacher.get("value") is not None
    }
    return [
        Row(role="teacher", method=CONTROL, name=name, parameters=parameters, values={seed: value})
        for (name, parameters, value), seed in reversed(named.items())
    ]


def _rank(row: Row) -> int:
    """Teachers, then the controls in their order, then every method (sorting is stable)."""
    if row.role == "teacher":
        return -1
    return list(CONTROLS).index(row.method) if row.method in CONTROLS else len(CONTROLS)
