"""Numbers as people read them: scores in points, means with their spread, counts, minutes."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

NOTHING = "-"
METRICS = {"miou": "mIoU", "iou": "IoU", "map": "mAP", "mar": "mAR", "ap": "AP", "ap11": "AP 11"}


@dataclass(frozen=True)
class Measure:
    """A number measured once for every seed: its mean, and its sample standard deviation where there are two or more.

    Example:
        >>> Measure.of([0.60, 0.62, 0.64]).points()
        '62.0 ± 2.0'
        >>> Measure.of([-0.004]).points(signed=True)
        '-0.4'
    """

    mean: float
    spread: float | None
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Measure:
        """Mean and spread of at least one value."""
        values = list(values)
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))

    @property
    def is_clear(self) -> bool:
        """Whether the mean is farther from zero than the spread; never with a single seed."""
        return self.spread is not None and abs(self.mean) > self.spread

    def points(self, *, signed: bool = False) -> str:
        """In points (hundredths), with one decimal, and the spread where there is one."""
        mean = points(self.mean, signed=signed)
        return mean if self.spread is None else f"{mean} ± {points(self.spread)}"


def points(value: float, *, signed: bool = False) -> str:
    """A score in [0, 1], or a difference of two, in points.

    Example:
        >>> points(0.6144), points(0.031, signed=True), points(-0.0001, signed=True)
        ('61.4', '+3.1', '0.0')
    """
    # A difference that rounds to nothing has no sign.
    rounded = round(100 * value, 1) or 0.0
    return f"{rounded:+.1f}" if signed and rounded else f"{rounded:.1f}"


def score(metric: str, value: float) -> str:
    """A score in [0, 1] by its name, in points.

    Example:
        >>> score("miou", 0.6144)
        'mIoU 61.4'
    """
    return f"{metric_name(metric)} {points(value)}"


def amount(value: float | None) -> str:
    """A count with three digits at most: 28.4 k, 1.9 M.

    Example:
        >>> [amount(value) for value in (940, 28_400, 412_000, 1_930_000, None)]
        ['940', '28.4 k', '412 k', '1.93 M', '-']
    """
    if value is None:
        return NOTHING
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def plain(value: float | None) -> str:
    """A measured time: two digits after the point below ten, one below a hundred, then none.

    Example:
        >>> [plain(value) for value in (1.234, 12.34, 1234.5, None)]
        ['1.23', '12.3', '1234', '-']
    """
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def metric_name(metric: str) -> str:
    """A metric as it is written in text.

    Example:
        >>> metric_name("miou"), metric_name("map_small"), metric_name("map/small"), metric_name("pixel_accuracy")
        ('mIoU', 'mAP small', 'mAP: small', 'pixel accuracy')
    """
    first = re.split("[_/]", metric, maxsplit=1)[0]
    return METRICS.get(first, first) + metric[len(first) :].replace("_", " ").replace("/", ": ")
