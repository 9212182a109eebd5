"""Several methods side by side: one teacher, one student, equal starts, batches and views, paired by seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.recipes.options import Segmentation
from pupil.recipes.training import as_read
from pupil.run import Run, write_json

if TYPE_CHECKING:
    from pupil.data.segmentation import SegmentationData
    from pupil.recipes.trained import Trained

SECONDS = "none-seconds"
Train = Callable[[Segmentation], Run]
Row = tuple[dict[str, Any], Run]


def compare(
    out: str | Path,
    *,
    teacher: Segmentation,
    student: Segmentation,
    methods: Sequence[str],
    seeds: Sequence[int],
    train: Train,
    equal_seconds: str | None = None,
) -> list[Row]:
    """Train a teacher, then the student by every method from every seed; runs that are there already are kept.

    Args:
        out: folder of the comparison; each run has a folder below it.
        teacher: options of the teacher.
        student: options that all students share.
        methods: their names; "none" is the control.
        seeds: every method runs once from each, so that gains are differences within a seed.
        train: trains one network by its options.
        equal_seconds: also train the control for as many seconds as this method takes on the same seed.

    Returns:
        One (summary, run) a model, the teacher first.
    """
    out = Path(out)
    teacher_run = _kept_or_trained(out / "teacher", teacher, train)
    rows = [(_summary(teacher_run, role="teacher"), teacher_run)]
    for seed in seeds:
        for method in methods:
            options = replace(student, method=method, seed=seed, teacher=str(teacher_run.folder))
            run = _kept_or_trained(out / f"{method}-{seed}", options, train)
            rows.append((_summary(run, method=method), run))
        if equal_seconds is not None:
            steps = _equal_steps(out, seed, equal_seconds, student.steps)
            options = replace(student, method="none", seed=seed, steps=steps)
            run = _kept_or_trained(out / f"{SECONDS}-{seed}", options, train)
            rows.append((_summary(run, method=SECONDS), run))
    write_json(out / "summary.json", {"rows": [summary for summary, _ in rows]})
    return rows


def clear(out: str | Path, *, overwrite: bool) -> None:
    """Make room for a comparison: an earlier one is removed only if `overwrite` says so, anything else never.

    Raises:
        UsageError: if the folder holds something that may not be removed.
    """
    out = Path(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = out.is_dir() and all(
        each.name in ("summary.json", "report.html") or (each / "run.json").is_file() for each in out.iterdir()
    )
    if not ours:
        raise UsageError(f"expected a comparison in {str(out)!r}, got other files: choose another --out")
    if not overwrite:
        raise UsageError(f"{str(out)!r} holds a comparison already: pass --overwrite or another --out")
    shutil.rmtree(out)


def write_comparison(
    out: str | Path, rows: Sequence[Row], data: SegmentationData, *, title: str, lead: str, commands: Sequence[str]
) -> None:
    """Write report.html: table, curves, and the same scenes through each model of the first seed."""
    from pupil.recipes.pictures import same_scenes
    from pupil.recipes.trained import load_trained
    from pupil.report.page import write_report

    first: dict[str, Trained] = {}
    for summary, run in rows:
        name = "teacher" if summary["role"] == "teacher" else summary["method"]
        if name not in first:
            first[name] = load_trained(run.folder)
    write_report(
        Path(out) / "report.html",
        title=title,
        lead=lead,
        summaries=[summary for summary, _ in rows],
        curves=[run.metrics for _, run in rows],
        pictures=same_scenes(data, first["teacher"].task, {name: each.model for name, each in first.items()}),
        legend=dict(zip(data.classes, data.colours, strict=True)),
        commands=commands,
    )


def _kept_or_trained(folder: Path, options: Segmentation, train: Train) -> Run:
    """The finished run in the folder if it has these options, the rest of an unfinished one, or a new one."""
    options = replace(options, out=str(folder))
    if (folder / "run.json").is_file():
        run = Run(folder)
        if run.record["options"] != as_read(options):
            raise UsageError(f"{str(folder)!r} holds a run with other options: pass --overwrite or another --out")
        if run.summary:
            return run
        options = replace(
            options, resume=(folder / "checkpoint").is_dir(), overwrite=not (folder / "checkpoint").is_dir()
        )
    return train(options)


def _summary(run: Run, **entries: Any) -> dict[str, Any]:
    return {**(run.summary or {}), **entries}


def _equal_steps(out: Path, seed: int, method: str, steps: int) -> int:
    """As many steps of the control as fit into the seconds that a method took."""
    none, other = (float(_summary(Run(out / f"{name}-{seed}"))["seconds"]) for name in ("none", method))
    return max(steps, round(steps * other / none))
