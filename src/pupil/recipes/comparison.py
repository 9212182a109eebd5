"""Several methods side by side: one teacher, one student, equal starts, batches and views, paired by seed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.engine.options import Training
from pupil.errors import UsageError
from pupil.numbers import score
from pupil.recipes.kinds import kind_of
from pupil.recipes.processes import executor
from pupil.recipes.training import refuse_other_options
from pupil.report.rows import SECONDS, TEACHER, label_of
from pupil.run import Run, write_json

if TYPE_CHECKING:
    from torch import nn

    from pupil.data.own_code import NamedClasses
    from pupil.report.table import Table
    from pupil.tasks.task import Task

Train = Callable[[Any], Run]  # of the options of its task
Row = tuple[dict[str, Any], Run]


def rows_of(methods: Sequence[str] | Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """The options in which each row differs, by its label: names of methods are labels too.

    Example:
        >>> rows_of(["none", "kd"])
        {'none': {'method': 'none'}, 'kd': {'method': 'kd'}}
    """
    return methods if isinstance(methods, Mapping) else {name: {"method": name} for name in methods}


def compare(
    out: str | Path,
    *,
    teacher: Training | None,
    student: Training,
    methods: Sequence[str] | Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    train: Train,
    equal_seconds: str | None = None,
    processes: int = 1,
) -> list[Row]:
    """Train a teacher, then the student by every method from every seed; runs that are there already are kept.

    Args:
        out: folder of the comparison; each run has a folder below it.
        teacher: options of the teacher; None where no method asks one.
        student: options that all students share.
        methods: their names; or, by the label of a row, the options in which it differs, its method among them. "none"
            is the control.
        seeds: every method runs once from each, so that gains are differences within a seed.
        train: trains one network by its options; with several processes, a function of a module.
        equal_seconds: also train the control for as many seconds as this method takes on the same seed.
        processes: how many trainings run at once.

    Returns:
        One (summary, run) a model, the teacher first.
    """
    out = Path(out)
    changes = rows_of(methods)
    total = (teacher is not None) + len(seeds) * (len(changes) + (equal_seconds is not None))
    jobs: dict[tuple[str, int], Future[str]] = {}
    first = ", the teacher first" if teacher is not None else ""
    print(f"training {total} networks below {out}{first}; one line for each that has ended", flush=True)
    pool = executor(processes)

    def start(label: str, options: Training, folder: Path) -> None:
        # Small networks use a second core badly: two trainings on a core each end sooner than two in turn on both.
        # The teacher trains alone, so it may have them all.
        threads = None if processes == 1 or label == TEACHER else 1
        job = pool.submit(_kept_or_trained, replace(options, out=str(folder)), train, threads)
        jobs[label, options.seed] = job
        job.add_done_callback(partial(_say, label, f"[{len(jobs)}/{total}]"))

    try:
        if teacher is not None:
            start(TEACHER, teacher, out / TEACHER)
            student = replace(student, teacher=jobs[TEACHER, teacher.seed].result())
        for seed in seeds:
            for label, change in changes.items():
                start(label, replace(student, seed=seed, **change), out / f"{label}-{seed}")
        for seed in seeds if equal_seconds else ():
            none, other = (_summary(Run(jobs[name, seed].result()))["seconds"] for name in ("none", str(equal_seconds)))
            steps = max(student.steps, round(student.steps * other / none))
            start(SECONDS, replace(student, method="none", seed=seed, steps=steps), out / f"{SECONDS}-{seed}")
        runs = {key: Run(job.result()) for key, job in jobs.items()}
    finally:
        pool.shutdown(cancel_futures=True)
    columns = [*changes, SECONDS] if equal_seconds else list(changes)
    students = [(_summary(runs[label, seed], method=label), runs[label, seed]) for seed in seeds for label in columns]
    teachers = [(_summary(run, role="teacher"), run) for (label, _), run in runs.items() if label == TEACHER]
    rows = [*teachers, *students]
    return rows


def clear(out: str | Path, *, overwrite: bool) -> None:
    """Make room for a comparison: an earlier one is removed only if `overwrite` says so, anything else never.

    Raises:
        UsageError: if the folder holds something that may not be removed.
    """
    if _holds_comparison(Path(out), overwrite=overwrite, runs=True):
        shutil.rmtree(out)


def compare_runs(
    folders: Sequence[str | Path], out: str | Path, *, overwrite: bool = False, trust: Sequence[str] = ()
) -> list[str]:
    """Put finished runs side by side: print the table, write report.html and summary.json.

    A run by the method "none" is the control; a run that another one learned from is the teacher. Gains are paired by
    seed. The runs stay as they are.

    Args:
        folders: the runs.
        out: folder to write to, of its own.
        overwrite: replace an earlier comparison of finished runs in it.
        trust: code that the runs name and that may be imported, as package.module:function.

    Returns:
        Notes on what, beside the method, differs between the students.

    Raises:
        UsageError: for runs that do not fit in one table, see :func:`pupil.recipes.comparable.comparable`, data that
            are gone, and a folder that holds something else; nothing is written then.
    """
    from pupil.recipes.comparable import comparable, differences

    rows = comparable(folders)
    out = Path(out)
    _holds_comparison(out, overwrite=overwrite, runs=False)
    students = [(summary, run) for summary, run in rows if summary["role"] == "student"]
    notes = [
        f"The students differ in more than their method: {each}. A gain may come from that."
        for each in differences(run for _, run in students)
    ]
    data = _validation_data(rows[0][1].record, trust)
    if data is None:
        notes.append("No pictures: the data sets came from Python and are not here.")
    first = students[0][0]
    methods = ", ".join(dict.fromkeys(summary["method"] for summary, _ in students))
    words = ["pupil", "compare", *map(str, folders), "--out", str(out), *(f"--trust={each}" for each in trust)]
    write_comparison(
        out,
        rows,
        data,
        title="Finished runs side by side",
        lead=f"One student ({first['student']['name']}) on {first['data']}: {methods}.",
        notes=notes,
        commands=[shlex.join(words)],
        trust=trust,
    )
    return notes


def write_comparison(
    out: str | Path,
    rows: Sequence[Row],
    data: NamedClasses | None,
    *,
    title: str,
    lead: str,
    notes: Sequence[str] = (),
    commands: Sequence[str] = (),
    trust: Sequence[str] = (),
) -> Table:
    """Write summary.json and report.html, and print the table.

    The report shows table, curves, and the same scenes, if data are there, through each model of the first seed. Times
    per image are taken anew then, side by side: those of the runs are from processes with other threads and neighbours.
    Models of the reader's own code are imported only if `trust` names them.
    """
    from rich.console import Console

    from pupil.recipes.pictures import same_scenes
    from pupil.recipes.trained import load_trained
    from pupil.report.headline import doubts
    from pupil.report.page import write_report
    from pupil.report.table import Table

    out, record, summaries = Path(out), rows[0][1].record, [summary for summary, _ in rows]
    out.mkdir(parents=True, exist_ok=True)
    task, pictures = kind_of(record).task_from(record), []
    if data is not None:
        models: dict[str, nn.Module] = {}
        for summary, run in rows:
            spec = run.record["model"]["spec"]
            if label_of(summary) not in models:
                models[label_of(summary)] = load_trained(run.folder, trust=spec if spec in trust else None).model
        summaries, pictures = _timed(summaries, models, task, data), same_scenes(data, task, models)
    table = Table(summaries)
    notes = [*notes, *_remarks(rows), *doubts(table)]
    write_json(out / "summary.json", {"rows": summaries})
    write_report(
        out / "report.html",
        title=title,
        lead=lead,
        summaries=summaries,
        curves=[run.metrics for _, run in rows],
        pictures=pictures,
        legend=task.legend,
        notes=notes,
        commands=commands,
    )
    Console().print(table.to_rich())
    for note in notes:
        print(note)
    print(f"{out}/report.html  {out}/summary.json")
    return table


def _remarks(rows: Sequence[Row]) -> list[str]:
    """What the losses said at the end of the first run of each row."""
    firsts: dict[str, Run] = {}
    for summary, run in rows:
        firsts.setdefault(label_of(summary), run)
    return [f"{label}: {remark}" for label, run in firsts.items() for remark in run.record.get("remarks", ())]


def _timed(
    summaries: Sequence[dict[str, Any]], models: Mapping[str, nn.Module], task: Task, data: NamedClasses
) -> list[dict[str, Any]]:
    """The summaries, each with the time per image of its network: one measurement for each network, not each run."""
    from pupil.engine.speed import milliseconds_per_image
    from pupil.recipes.pictures import some_images

    names = [(each["role"], each["student"]["name"], each["student"]["parameters"]) for each in summaries]
    firsts = dict(reversed([(name, label_of(each)) for name, each in zip(names, summaries, strict=True)]))
    found = milliseconds_per_image({first: models[first] for first in firsts.values()}, task, some_images(data))
    speeds = {name: found[first] for name, first in firsts.items()}
    return [{**each, "milliseconds_per_image": speeds[name]} for name, each in zip(names, summaries, strict=True)]


def _holds_comparison(out: Path, *, overwrite: bool, runs: bool) -> bool:
    """Whether a comparison that may be replaced is there; with `runs`, the folders of its runs are part of it."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    ours = out.is_dir() and all(
        each.name in ("summary.json", "report.html") or (runs and (each / "run.json").is_file())
        for each in out.iterdir()
    )
    if not ours:
        raise UsageError(f"expected a comparison in {str(out)!r}, got other files: choose another --out")
    if not overwrite:
        raise UsageError(f"{str(out)!r} holds a comparison already: pass --overwrite or another --out")
    return True


def _validation_data(record: Mapping[str, Any], trust: Sequence[str]) -> NamedClasses | None:
    """What the runs were scored on; None where it came from Python."""
    from pupil.data.own_code import PYTHON, is_code

    spec = record["data"]
    if spec == PYTHON:
        return None
    if is_code(spec) and spec not in trust:
        raise UsageError(f"the runs name code, {spec!r}, not run unasked: pass --trust {shlex.quote(spec)} to allow it")
    return kind_of(record).validation_from(record, spec, record["data_format"], split="val", own_classes=False)


def _kept_or_trained(options: Training, train: Train, threads: int | None) -> str:
    """The folder of a finished run with these options: the one that is there, the rest of a cut one, or a new one."""
    from pupil.engine.checkpoint import has_checkpoint

    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    folder = Path(str(options.out))
    if (folder / "run.json").is_file():
        run = Run(folder)
        refuse_other_options(run, options)
        if run.summary:
            return str(folder)
        begun = has_checkpoint(folder)
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
