"""The colours of a report: one a row, readable on light paper; a dark page puts its own in their place."""

from __future__ import annotations

from pupil.report.table import Table

INK = "#1c2230"
NEUTRAL = "#7c8494"
ACCENT = "#2f62d9"
OTHERS = ("#c9651f", "#23875f", "#8d52c4", "#bf4272", "#7f7024", "#1d859e")
DARK = {
    NEUTRAL: "#9aa3b5",
    ACCENT: "#82a8ff",
    **dict(zip(OTHERS, ("#f0a065", "#5fc79c", "#c097ee", "#f088b0", "#c9b862", "#63c3da"), strict=True)),
}


def row_colours(table: Table) -> dict[str, str]:
    """A colour for every row by its label: ink for the teacher, grey for the student alone, the accent for the best."""
    colours = {"teacher": INK, "none": NEUTRAL}
    if table.best is not None:
        colours[table.best.label] = ACCENT
    others = [row.label for row in table.rows if row.label not in colours]
    return colours | {label: OTHERS[index % len(OTHERS)] for index, label in enumerate(others)}


def as_variable(colour: str) -> str:
    """The colour as CSS: ink is the text's own, and the rest are variables that a dark page sets.

    Example:
        >>> as_variable("#2f62d9"), as_variable("#ffffff")
        ('var(--c-2f62d9, #2f62d9)', '#ffffff')
    """
    if colour == INK:
        return "currentColor"
    return f"var(--c-{colour[1:]}, {colour})" if colour in DARK else colour


def dark_variables() -> str:
    """The declarations of every variable for a dark page."""
    return " ".join(f"--c-{colour[1:]}: {dark};" for colour, dark in DARK.items())
