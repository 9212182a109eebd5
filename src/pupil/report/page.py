"""One HTML file that says what came out: it needs no network, no script and nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.numbers import NOTHING, metric_name, points
from pupil.report.charts import score_chart, term_chart
from pupil.report.colours import as_variable, dark_variables, row_colours
from pupil.report.curves import Curve, LogRows, scores, terms
from pupil.report.headline import evidence, facts, headline
from pupil.report.pictures import data_uri
from pupil.report.rows import CONTROL, CONTROLS, Summary, label_of
from pupil.report.table import Table

if TYPE_CHECKING:
    from torch import Tensor


def write_report(
    path: str | Path,
    *,
    title: str,
    lead: str,
    summaries: Sequence[Summary],
    curves: Sequence[LogRows] = (),
    pictures: Sequence[Mapping[str, Tensor]] = (),
    legend: Mapping[str, Sequence[int]] | None = None,
    notes: Iterable[str] = (),
    commands: Iterable[str] = (),
) -> None:
    """Write the report of one run, or of a comparison of many.

    The headline, the table and every number come from the summaries; the caller adds what the numbers cannot know.

    Args:
        path: the file to write; its folder is made, an earlier file is replaced.
        title: what was done, in a few words; above the headline.
        lead: what was compared with what, in a sentence or two; below the headline.
        summaries: contents of summary.json, one for each run.
        curves: rows of metrics.jsonl (`Run.metrics`), one list for each summary in the same order; or nothing.
        pictures: for each scene its pictures by name, in the order to show: image, labels, then each model.
        legend: colour (red, green, blue) of each class by name.
        notes: what these numbers mean and do not mean, beside what every page says.
        commands: what to type to get this page again.

    Shape:
        pictures: (3, H, W) uint8 each.

    Raises:
        UsageError: for summaries that do not fit in one table, and for curves that are not one for each summary.
    """
    import jinja2

    table = Table(summaries)
    if curves and len(curves) != len(summaries):
        raise UsageError(
            f"expected curves for each of {len(summaries)} summaries, got {len(curves)}: pass them in the same order"
        )
    logs = [list(rows) for rows in curves]
    colours = row_colours(table)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["typeset"] = typeset
    template = environment.from_string(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    content = template.render(
        title=title,
        lead=lead,
        headline=headline(table),
        evidence=evidence(table),
        facts=facts(table),
        table=table,
        controls=CONTROLS,
        colours={label: as_variable(colour) for label, colour in colours.items()},
        strips=_strips(table),
        dark=dark_variables(),
        chart=_score_chart(table, summaries, logs, colours),
        parts=_term_chart(table, summaries, logs),
        scenes=[{name: data_uri(picture) for name, picture in scene.items()} for scene in pictures],
        tiny=any(picture.shape[-1] < 200 for scene in pictures for picture in scene.values()),
        legend={
            name: f"rgb({', '.join(str(int(part)) for part in colour)})" for name, colour in (legend or {}).items()
        },
        classes=_classes(table),
        notes=list(notes),
        commands=list(commands),
        data=sorted({str(summary["data"]) for summary in summaries if summary.get("data")}),
        versions=sorted({str(summary["version"]) for summary in summaries if summary.get("version")}),
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def typeset(text: str) -> str:
    """Numbers as a printer sets them: a true minus, and a dash for nothing.

    Example:
        >>> typeset("none-seconds -0.4"), typeset("-")
        ('none-seconds −0.4', '–')
    """
    return "–" if text == "-" else re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def _strips(table: Table) -> dict[str, Any] | None:
    """Where to put a dot for each seed, in percent of the width: None where there is a single student to show."""
    students = [row for row in table.rows if row.role == "student"]
    values = [value for row in students for value in row.values.values()]
    if len(students) < 2 or max(values) == min(values):
        return None
    low, high = min(values), max(values)

    def place(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.1f}%"

    return {
        "low": points(low),
        "high": points(high),
        "dots": {row.label: [place(value) for value in row.values.values()] for row in students},
        "means": {row.label: place(row.value.mean) for row in students},
    }


def _score_chart(
    table: Table, summaries: Sequence[Summary], logs: Sequence[LogRows], colours: Mapping[str, str]
) -> str:
    metric = summaries[0]["metric"]
    runs: dict[str, list[list[tuple[int, float]]]] = {}
    for summary, rows in zip(summaries, logs, strict=False):
        if run := scores(rows, metric):
            runs.setdefault(label_of(summary), []).append(run)
    students = any(row.role == "student" and row.label in runs for row in table.rows)
    curves = []
    for row in table.rows:
        # Beside students the teacher is the mark to aim at: its own training had other steps.
        if row.role == "teacher" and students:
            curves.append(Curve(row.label, colours[row.label], level=row.value.mean))
        elif row.label in runs:
            curves.append(Curve(row.label, colours[row.label], runs[row.label], strong=row is table.best))
    return score_chart(curves, table.metric) if curves and runs else ""


def _term_chart(table: Table, summaries: Sequence[Summary], logs: Sequence[LogRows]) -> dict[str, Any] | None:
    """The loss of one run: the first of the best method, or of the last row."""
    shown = table.best or table.rows[-1]
    for summary, rows in zip(summaries, logs, strict=False):
        if (summary["role"], summary["method"]) == (shown.role, shown.method) and terms(rows):
            return {"label": shown.label, "seed": summary["seed"], "chart": term_chart(rows)}
    return None


def _classes(table: Table) -> dict[str, Any] | None:
    """The score of each class for the teacher, the student alone and the best method: None where no run counts them."""
    shown = [row for row in table.rows if row.role == "teacher" and row.scores]
    shown += [row for row in table.rows if row.role == "student" and (row.method == CONTROL or row is table.best)]
    # A class that is nowhere labelled has a score only in the rows that predict it.
    keys = list(dict.fromkeys(key for row in reversed(shown) for key in row.scores if "/" in key))
    if not keys:
        return None
    alone = next((row for row in shown if row.role == "student" and row.method == CONTROL), None)
    best = table.best if alone is not None else None
    ours, theirs = (row.scores if row else {} for row in (best, alone))
    gains = {key: ours[key] - theirs[key] for key in keys if key in ours and key in theirs}
    widest = max(map(abs, gains.values()), default=0.0) or 1.0
    return {
        "metric": metric_name(keys[0].partition("/")[0]),
        "labels": [row.label for row in shown],
        "compared": best is not None,
        "rows": [
            {
                "name": key.partition("/")[2],
                "scores": [points(row.scores[key]) if key in row.scores else NOTHING for row in shown],
                "gain": points(gains[key], signed=True) if key in gains else NOTHING,
                "width": round(50 * abs(gains.get(key, 0.0)) / widest, 1),
                "ahead": gains.get(key, 0.0) > 0,
            }
            for key in keys
        ],
    }
