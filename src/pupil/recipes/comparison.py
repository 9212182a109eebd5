"""Several methods side by side: one teacher, one student, equal starts, batches and views, paired by seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.numbers import score
from pupil.recipes.options import Segmentation
from pupil.recipes.processes import executor
from pupil.recipes.training import as_read
from pupil.run import Run, write_json

if TYPE_CHECKING:
    from pupil.data.segmentation import SegmentationData
    from pupil.recipes.trained import Trained

TEACHER = "teacher"
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
    processes: int = 1,
) -> list[Row]:
    """Train a teacher, then the student by every method from every seed; runs that are there already are kept.

    Args:
        out: folder of the comparison; each run has a folder below it.
        teacher: options of the teacher.
        student: options that all students share.
        methods: their names; "none" is the control.
        seeds: every method runs once from each, so that gains are differences within a seed.
        train: trains one network by its options; with several processes, a function of a module.
        equal_seconds: also train the control for as many seconds as this method takes on the same seed.
        processes: how many trainings run at once.

    Returns:
        One (summary, run) a model, the teacher first.
    """
    out = Path(out)
    total = 1 + len(seeds) * (len(methods) + (equal_seconds is not None))
    jobs: dict[tuple[str, int], Future[str]] = {}
    print(f"training {total} networks below {out}, the teacher first; one line for each that has ended", flush=True)
    pool = executor(processes)

    def start(label: str, options: Segmentation, folder: Path) -> None:
        # Small networks use a second core badly: two trainings on a core each end sooner than two in turn on both.
        # The teacher trains alone, so it may have them all.
        threads = None if processes == 1 or label == TEACHER else 1
        job = pool.submit(_kept_or_trained, replace(options, out=str(folder)), train, threads)
        jobs[label, options.seed] = job
        job.add_done_callback(partial(_say, label, f"[{len(jobs)}/{total}]"))

    try:
        start(TEACHER, teacher, out / TEACHER)
        student = replace(student, teacher=jobs[TEACHER, teacher.seed].result())
        for seed in seeds:
            for method in methods:
                start(method, replace(student, method=method, seed=seed), out / f"{method}-{seed}")
        for seed in seeds if equal_seconds else ():
            none, other = (_summary(Run(jobs[name, seed].result()))["seconds"] for name in ("none", str(equal_seconds)))
            steps = max(student.steps, round(student.steps * other / none))
            start(SECONDS, replace(student, method="none", seed=seed, steps=steps), out / f"{SECONDS}-{seed}")
        runs = {key: Run(job.result()) for key, job in jobs.items()}
    finally:
        pool.shutdown(cancel_futures=True)
    columns = [*methods, SECONDS] if equal_seconds else methods
    students = [(_summary(runs[label, seed], method=label), runs[label, seed]) for seed in seeds for label in columns]
    teachers = [(_summary(run, role="teacher"), run) for (label, _), run in runs.items() if label == TEACHER]
    rows = [*teachers, *students]
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
    out: str | Path,
    rows: Sequence[Row],
    data: SegmentationData,
    *,
    title: str,
    lead: str,
    notes: Sequence[str] = (),
    commands: Sequence[str] = (),
) -> None:
    """Write report.html: table, curves, and the same scenes through each model of the first seed."""
    from pupil.recipes.pictures import same_scenes
    from pupil.recipes.trained import load_trained
    from pupil.report.page import write_report

    first: dict[str, Trained] = {}
    for summary, run in rows:
        name = TEACHER if summary["role"] == "teacher" else summary["method"]
        if name not in first:
            first[name] = load_trained(run.folder)
    write_report(
        Path(out) / "report.html",
        title=title,
        lead=lead,
        summaries=[summary for summary, _ in rows],
        curves=[run.metrics for _, run in rows],
        pictures=same_scenes(data, first[TEACHER].task, {name: each.model for name, each in first.items()}),
        legend=dict(zip(data.classes, data.colours, strict=True)),
        notes=notes,
        commands=commands,
    )


def _kept_or_trained(options: Segmentation, train: Train, threads: int | None) -> str:
    """The folder of a finished run with these options: the one that is there, the rest of a cut one, or a new one."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    folder = Path(str(options.out))
    if (folder / "run.json").is_file():
        run = Run(folder)
        if run.record["options"] != as_read(options):
            raise UsageError(f"{str(folder)!r} holds a run with other options: pass --overwrite or another --out")
        if run.summary:
            return str(folder)
        begun = (folder / "checkpoint").is_dir()
        options = replace(options, resume=begun, overwrite=not begun)
    return str(train(options).folder)


def _say(label: str, place: str, job: Future[str]) -> None:
    """One line for a run that has ended."""
    if job.cancelled() or job.exception():
        return
    summary = _summary(Run(job.result()))
    reached, seconds = score(summary["metric"], summary["value"]), f"{summary['seconds']:.0f} s"
    print(f"{place:>8} {label:<16} seed {summary['seed']}  {reached}  {summary['steps']} steps  {seconds}", flush=True)


def _summary(run: Run, **entries: Any) -> dict[str, Any]:
    return {**(run.summary or {}), **entries}
