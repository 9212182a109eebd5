"""What the results tables have in common: one teacher, one student, every method, paired seeds; table, report, page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pupil.recipes.comparison import SECONDS, compare, write_comparison
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
    """One table.

    Args:
        name: of the page, the folder of the runs, and the target `make results-NAME`.
        title: of the page and the report.
        lead: the report's, in a sentence.
        recipe: the recipe's name.
        train: trains by its options.
        prepare: what those options name.
        scales: by name.
        equal_seconds: the control is also trained for as many seconds as this method takes.
        page: the page's text, see :func:`written`.
        data: where the data lie, if not somewhere else; None where they are drawn.
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


def main(study: Study) -> None:
    """Train what is missing, then write report and page."""
    parser = argparse.ArgumentParser(description=study.title)
    if study.data:
        parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data" / study.data))
    parser.add_argument("--out", default=f"runs/{study.name}")
    parser.add_argument("--scale", choices=study.scales, default="small")
    parser.add_argument("--seeds", default="0 1 2")
    parser.add_argument("--processes", type=int, default=2, help="trainings at once")
    parser.add_argument("--page", default=str(ROOT / "docs" / "results" / f"{study.name}.md"))
    given = parser.parse_args()
    seeds = parse_seeds(given.seeds)
    # The folder's place is the reader's own: the record and the page call it DIR.
    place = {"data": given.data} if study.data else {}
    scale = study.scales[given.scale]
    teacher, student = (each and replace(each, **place) for each in (scale.teacher, scale.student))
    material = study.prepare(student)
    rows = compare(
        given.out,
        teacher=teacher,
        student=student,
        methods=scale.methods,
        seeds=seeds,
        train=study.train,
        equal_seconds=study.equal_seconds,
        processes=given.processes,
    )
    data = " DATA=DIR" if study.data else ""
    command = f'make results-{study.name}{data} SCALE={given.scale} SEEDS="{" ".join(map(str, seeds))}"'
    table = write_comparison(
        given.out,
        rows,
        material.val,
        title=study.title,
        lead=study.lead,
        commands=[command],  # type: ignore[arg-type]
    )
    page = Path(given.page)
    page.parent.mkdir(parents=True, exist_ok=True)
    text = written(study, scale, page, command, len(material.train), table.to_markdown())
    page.write_text(text)
    print(page.read_text())


def written(study: Study, scale: Scale, page: Path, command: str, labels: int, table: str) -> str:
    """The page: the study's text with everything that can be counted, and the notes that the page has already."""
    notes = page.read_text().partition("\n## Notes\n")[2] if page.is_file() else ""
    shown = {"data": "DIR"} if study.data else {}
    teacher, student = scale.teacher, scale.student
    rows = scale.methods if isinstance(scale.methods, Mapping) else {name: {"method": name} for name in scale.methods}
    taught = replace(student, **shown, **rows[study.equal_seconds], teacher=teacher and "runs/teacher")
    return study.page.format(
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
        notes=f"\n## Notes\n{notes}" if notes else "",
    )
