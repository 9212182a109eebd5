"""What the results pages have in common: for each table one teacher, one student, every method, paired seeds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pupil.recipes.comparison import SECONDS, compare, rows_of, write_comparison
from pupil.recipes.material import Material
from pupil.recipes.options import as_command, parse_seeds
from pupil.run import Run

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Scale:
    """How large a table is: "small" for two CPU cores, "full" for a GPU.

    Args:
        teacher: its options, or None where no method asks one.
        student: the options that all students share.
        methods: the rows, see :func:`pupil.recipes.comparison.compare`; "none" is the control.
    """

    teacher: Any
    student: Any
    methods: Sequence[str] | Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """One table, and the page or the part of a page around it.

    Args:
        name: of the page, the folder of the runs, and the target `make results-NAME`.
        title: of the report.
        lead: the report's, in a sentence.
        recipe: the recipe's name.
        train: trains by its options.
        prepare: what those options name.
        scales: by name.
        equal_seconds: the control is also trained for as many seconds as this method takes.
        page: the page's text, see :func:`written`.
        data: where the data lie, if not somewhere else; None where they are drawn.
        part: sub-folder of the runs, where a page has several tables.
    """

    name: str
    title: str
    lead: str
    recipe: str
    train: Callable[[Any], Run]
    prepare: Callable[[Any], Material]
    scales: Mapping[str, Scale]
    equal_seconds: str
    page: str
    data: str | None = None
    part: str = ""


def main(*studies: Study) -> None:
    """Train what is missing, then write the reports and the page that the studies share."""
    name, found = studies[0].name, next((study.data for study in studies if study.data), None)
    parser = argparse.ArgumentParser(description=f"The tables of docs/results/{name}.md")
    parser.add_argument("--data", default=found and str(ROOT.parent / "shared" / "data" / found))
    parser.add_argument("--out", default=f"runs/{name}")
    parser.add_argument("--scale", choices=studies[0].scales, default="small")
    parser.add_argument("--seeds", default="0 1 2")
    parser.add_argument("--parts", nargs="+", help="only these tables of several")
    parser.add_argument("--processes", type=int, default=2, help="trainings at once")
    parser.add_argument("--page", default=str(ROOT / "docs" / "results" / f"{name}.md"))
    given = parser.parse_args()
    data = " DATA=DIR" if found else ""
    command = f'make results-{name}{data} SCALE={given.scale} SEEDS="{given.seeds}"'
    page = Path(given.page)
    notes = page.read_text().partition("\n## Notes\n")[2] if page.is_file() else ""
    chosen = [study for study in studies if given.scale in study.scales and study.part in (given.parts or [study.part])]
    parts = [told(study, given, command) for study in chosen]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([*parts, f"## Notes\n{notes}"] if notes else parts))
    print(page.read_text())


def told(study: Study, given: argparse.Namespace, command: str) -> str:
    """Train what is missing of a table, write its report, and return its part of the page."""
    # The folder's place is the reader's own: the record and the page call it DIR.
    place = {"data": given.data} if study.data else {}
    scale = study.scales[given.scale]
    teacher, student = (each and replace(each, **place) for each in (scale.teacher, scale.student))
    material = study.prepare(student)
    out = Path(given.out) / study.part
    rows = compare(
        out,
        teacher=teacher,
        student=student,
        methods=scale.methods,
        seeds=parse_seeds(given.seeds),
        train=study.train,
        equal_seconds=study.equal_seconds,
        processes=given.processes,
    )
    table = write_comparison(out, rows, material.val, title=study.title, lead=study.lead, commands=[command])
    return written(study, scale, command, len(material.train), table.to_markdown())


def written(study: Study, scale: Scale, command: str, labels: int, table: str) -> str:
    """The study's text with everything that can be counted."""
    shown = {"data": "DIR"} if study.data else {}
    teacher, student = scale.teacher, scale.student
    row = rows_of(scale.methods)[study.equal_seconds]
    taught = replace(student, **shown, **row, teacher=teacher and "runs/teacher")
    return study.page.format(
        title=study.title,
        command=command,
        teacher=teacher,
        student=student,
        labels=labels,
        epochs=student.steps * student.batch_size / labels,
        drawn=", which each seed draws anew" if student.labels else "",
        seconds=SECONDS,
        equal=study.equal_seconds,
        teacher_command=teacher and as_command(study.recipe, replace(teacher, **shown, out="runs/teacher")),
        student_command=as_command(study.recipe, taught),
        table=table,
    )
