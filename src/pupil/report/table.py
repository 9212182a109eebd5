"""The results table: for the terminal, for Markdown, and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pupil.numbers import NOTHING, amount, metric_name, plain, points
from pupil.report.rows import Row, Summary, aggregate, best

if TYPE_CHECKING:
    import rich.table

# Eight columns in 80 characters.
EXTRA = "extra parameters"
NARROW = {"parameters": "para-\nmeters", "ms/image": "ms per\nimage", EXTRA: "extra\nparams"}


class Table:
    """Every model of a comparison in one table, with its gain over the same student alone.

    A gain is paired: score minus the score of `none` with the same seed, then averaged. Losses stand beside gains,
    and a method that lacks a seed shows it in the column of seeds.

    Args:
        summaries: contents of summary.json, one for each run.

    Raises:
        UsageError: for summaries that do not fit in one table, see :func:`~pupil.report.rows.aggregate`.

    Example:
        >>> run = {"role": "student", "task": "segmentation", "metric": "miou", "seed": 0}
        >>> run["student"] = {"name": "small", "parameters": 9}
        >>> table = Table([{**run, "method": "none", "value": 0.50}, {**run, "method": "kd", "value": 0.53}])
        >>> print(table.to_markdown().splitlines()[-1])
        | kd | 53.0 | +3.0 | 9 | - | - | - | 1 | +3.0 |
    """

    def __init__(self, summaries: Sequence[Summary]) -> None:
        self.rows: list[Row] = aggregate(summaries)
        self.best = best(self.rows)
        self.metric = metric_name(summaries[0]["metric"])
        self.seeds = sorted({seed for row in self.rows if row.role == "student" for seed in row.values})

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return ["model", self.metric, "gain", "parameters", *self._extra, "ms/image", "steps", "seconds", "seeds"]

    @property
    def _extra(self) -> list[str]:
        """The column of what is trained and left behind, where any row has such a thing."""
        return [EXTRA] if any(row.extra for row in self.rows) else []

    def cells(self, row: Row) -> list[str]:
        """A row as text, one cell for each name in the header."""
        return [
            row.label,
            row.value.points(),
            row.gain.points(signed=True) if row.gain else NOTHING,
            amount(row.parameters),
            *(amount(round(row.extra)) if row.extra else NOTHING for _ in self._extra),
            plain(row.milliseconds),
            NOTHING if row.steps is None else f"{row.steps:.0f}",
            plain(row.seconds),
            str(row.value.count),
        ]

    def gains_by_seed(self, row: Row) -> list[str]:
        """The gain at each of the table's seeds; a dash where the method or its control lacks the seed."""
        return [points(row.gains[seed], signed=True) if seed in row.gains else NOTHING for seed in self.seeds]

    def by_seed(self, row: Row) -> list[tuple[str, str]]:
        """The score and the gain at each of the table's seeds."""
        scores = [points(row.values[seed]) if seed in row.values else NOTHING for seed in self.seeds]
        return list(zip(scores, self.gains_by_seed(row), strict=True))

    def to_rich(self) -> rich.table.Table:
        """For the terminal: the table, and under it the gain at each seed. Fits 80 columns."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for name in self.header:
            # A long name may wrap; a number never does.
            if name == "model":
                table.add_column(name, overflow="fold")
            else:
                table.add_column(NARROW.get(name, name), justify="right", vertical="bottom", no_wrap=True)
        for row in self.rows:
            style = "bold" if row is self.best else "dim" if row.role == "teacher" else ""
            table.add_row(*(Text(cell) for cell in self.cells(row)), style=style)
        if any(row.gains for row in self.rows):
            table.caption = Text(self._gains(), style="not italic")
            table.caption_justify = "left"
        return table

    def _gains(self) -> str:
        """The gain at each seed, aligned, below an empty line."""
        lines = [("gain at seed", [str(seed) for seed in self.seeds])]
        lines += [(row.label, self.gains_by_seed(row)) for row in self.rows if row.gains]
        width = max(len(label) for label, _ in lines)
        return "\n" + "\n".join(label.ljust(width) + "".join(f"{cell:>7}" for cell in cells) for label, cells in lines)

    def to_markdown(self) -> str:
        """For a README: the same columns, and the gain at each seed in the last one."""
        header = [*self.header, f"gain at seed {', '.join(map(str, self.seeds))}"]
        lines = [header, ["---"] + ["---:"] * (len(header) - 1)]
        lines += [[*self.cells(row), ", ".join(self.gains_by_seed(row)) if row.gains else NOTHING] for row in self.rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
