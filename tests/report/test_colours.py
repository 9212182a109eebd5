from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pupil.report.colours import ACCENT, INK, NEUTRAL, as_variable, dark_variables, row_colours
from pupil.report.table import Table


def test_the_accent_belongs_to_the_best(comparison: list[dict[str, Any]]) -> None:
    colours = row_colours(Table(comparison))
    assert (colours["teacher"], colours["none"], colours["aicsd"]) == (INK, NEUTRAL, ACCENT)
    assert len(set(colours.values())) == len(colours) == 5


def test_more_methods_than_colours_still_all_have_one(summary: Callable[..., dict[str, Any]]) -> None:
    colours = row_colours(Table([summary(f"method {index}", 0, 0.5) for index in range(20)]))
    assert len(colours) >= 20


def test_every_colour_of_a_row_has_its_dark_one(comparison: list[dict[str, Any]]) -> None:
    for colour in row_colours(Table(comparison)).values():
        assert colour == INK or f"--c-{colour[1:]}: #" in dark_variables()
        assert as_variable(colour) != colour
