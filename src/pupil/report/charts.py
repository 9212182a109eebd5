"""Charts as inline SVG: the score of every model during training, and the terms of one run's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pupil.numbers import points
from pupil.report.colours import ACCENT, INK
from pupil.report.curves import Curve, LogRows, over_seeds, smooth, terms
from pupil.report.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}
WIDTH = 10.4


def score_chart(curves: Sequence[Curve], metric: str) -> str:
    """The score of every model during training: the mean over its seeds as a line, their range as a band.

    Every line carries its name and its last mean at its end. The axis leaves out what lies below the first quarter
    of training, where all curves rise steeply; after it, nothing is cut off.

    Args:
        curves: one a model, in the order of the table.
        metric: as written in text.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 4.7))
        axes = figure.add_axes((0.035, 0.105, 0.8, 0.82))
        lines = [_draw(axes, curve) for curve in curves]
        low = min((line.min() for line in lines), default=0.0)
        high = max((line.max() for line in lines), default=100.0)
        margin = max(0.05 * (high - low), 0.5)
        axes.set_xlim(left=0)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel("step")
        axes.set_title(f"{metric} in points", loc="left", fontsize=10)
        axes.grid(axis="y")
        _name(axes, curves, [float(line[-1]) for line in lines])
        return inline_svg(figure, "scores", f"{metric} during training, a line for each model")


def _draw(axes: Axes, curve: Curve) -> np.ndarray:
    """Draw one model; return what the axis must show: its points after the first quarter, the last mean at the end."""
    if curve.level is not None:
        level = 100 * curve.level
        axes.axhline(level, color=curve.colour, linewidth=1.2, linestyle=(0, (1, 2.5)))
        return np.array([level])
    steps, values = over_seeds(curve.runs)
    values = 100 * values
    mean = values.mean(axis=0)
    if len(values) > 1:
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=curve.colour, alpha=0.14, linewidth=0)
    axes.plot(steps, mean, color=curve.colour, linewidth=2.4 if curve.strong else 1.4, solid_capstyle="round")
    axes.plot(steps[-1:], mean[-1:], marker="o", markersize=5.5 if curve.strong else 4, color=curve.colour)
    return np.append(values[:, steps >= steps[-1] / 4], mean[-1])


def _name(axes: Axes, curves: Sequence[Curve], ends: Sequence[float]) -> None:
    """Write the names in the right margin, each as near to its line's end as the others let it."""
    low, high = axes.get_ylim()
    for height, curve, end in zip(spread_out(ends, gap=0.056 * (high - low)), curves, ends, strict=True):
        axes.text(
            1.02,
            height,
            f"{points(end / 100)}  {curve.label}",
            transform=axes.get_yaxis_transform(),
            color=curve.colour,
            verticalalignment="center",
            fontweight="bold" if curve.strong else "normal",
        )


def term_chart(rows: LogRows) -> str:
    """Every term of one run's loss, each on its own axis: its values, and their running mean.

    Args:
        rows: of one run's metrics.jsonl.
    """
    import matplotlib
    from matplotlib.figure import Figure

    series = terms(rows)
    columns = 3
    lines = max(1, -(-len(series) // columns))
    height = 2.2 * lines
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        panels = figure.subplots(lines, columns, squeeze=False).flatten()
        figure.subplots_adjust(0.04, 0.3 / height, 0.99, 1 - 0.3 / height, wspace=0.18, hspace=0.45)
        for panel in panels[len(series) :]:
            panel.set_axis_off()
        for panel, (name, values) in zip(panels, series.items(), strict=False):
            steps, heights = np.array(values, np.float64).T
            panel.plot(steps, heights, color=ACCENT, linewidth=0.7, alpha=0.35)
            panel.plot(steps, smooth(heights), color=ACCENT, linewidth=1.8)
            panel.set_title(name, loc="left", fontsize=10)
            panel.set_xlim(left=0)
            panel.locator_params(nbins=4)
            panel.grid(axis="y")
        return inline_svg(figure, "terms", f"terms of the loss during training: {', '.join(series)}")


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Labels moved apart so that no two are closer than `gap`: in their order, a crowd about its own mean.

    Example:
        >>> spread_out([5.0, 1.0, 5.0], gap=1.0)
        [4.5, 1.0, 5.5]
    """
    crowds: list[list[int]] = []
    for index in sorted(range(len(heights)), key=heights.__getitem__):
        crowds.append([index])
        # Two crowds that would touch become one, and may then touch the next.
        while len(crowds) > 1 and _bottom(crowds[-1], heights, gap) < _bottom(crowds[-2], heights, gap) + gap * len(
            crowds[-2]
        ):
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    moved = list(heights)
    for crowd in crowds:
        for place, index in enumerate(crowd):
            moved[index] = _bottom(crowd, heights, gap) + place * gap
    return moved


def _bottom(crowd: Sequence[int], heights: Sequence[float], gap: float) -> float:
    return sum(heights[index] for index in crowd) / len(crowd) - (len(crowd) - 1) * gap / 2
