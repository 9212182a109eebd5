"""Curves read from the rows of metrics.jsonl, and several seeds of one on a common axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = Sequence[tuple[int, float]]
LogRows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Curve:
    """The scores of one model during training.

    Args:
        label: its name, written at the end of the line.
        colour: as ``#rrggbb``.
        runs: for each seed, (step, score in [0, 1]) in order.
        level: a score to draw as a level line instead, for a model that is a mark to aim at.
        strong: whether the eye should go there first.
    """

    label: str
    colour: str
    runs: Sequence[Points] = ()
    level: float | None = None
    strong: bool = False


def scores(rows: LogRows, metric: str) -> list[tuple[int, float]]:
    """The (step, score) of every evaluation that had something to count.

    Example:
        >>> scores([{"step": 0, "terms": {}}, {"step": 9, "metrics": {"miou": 0.5}}], "miou")
        [(9, 0.5)]
    """
    found = [(row["step"], row["metrics"][metric]) for row in rows if metric in row.get("metrics", {})]
    return [(step, score) for step, score in found if math.isfinite(score)]


def terms(rows: LogRows) -> dict[str, list[tuple[int, float]]]:
    """The (step, value) of every term of the loss.

    Example:
        >>> terms([{"step": 0, "terms": {"task": 1.2, "kd": 0.3}}, {"step": 9, "metrics": {"miou": 0.5}}])
        {'task': [(0, 1.2)], 'kd': [(0, 0.3)]}
    """
    series: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.get("terms", {}).items():
            series.setdefault(name, []).append((row["step"], value))
    return series


def over_seeds(runs: Sequence[Points]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Several runs on one axis: steps (S,), and the score of each run at them (runs, S).

    Runs of equal time differ in steps, so runs are compared at equal shares of their length and drawn at the mean
    step. Where all have the same steps, these are the steps.

    Example:
        >>> steps, values = over_seeds([[(100, 0.4), (200, 0.6)], [(110, 0.5), (220, 0.7)]])
        >>> steps.tolist(), values.tolist()
        ([105.0, 210.0], [[0.4, 0.6], [0.5, 0.7]])
    """
    steps = [np.array([step for step, _ in run], np.float64) for run in runs]
    values = [np.array([value for _, value in run], np.float64) for run in runs]
    shares = [each / max(each[-1], 1.0) for each in steps]
    common = np.unique(np.concatenate(shares))
    common = common[common >= max(each[0] for each in shares)]
    last = np.mean([each[-1] for each in steps])
    return common * last, np.stack([np.interp(common, *each) for each in zip(shares, values, strict=True)])


def smooth(values: NDArray[np.float64], window: int = 15) -> NDArray[np.float64]:
    """A running mean over `window` neighbours, fewer at the ends.

    Example:
        >>> smooth(np.array([1.0, 2.0, 6.0]), window=3).tolist()
        [1.5, 3.0, 4.0]
    """
    window = min(window, len(values))
    ones = np.ones(window)
    return np.convolve(values, ones, "same") / np.convolve(np.ones_like(values), ones, "same")
