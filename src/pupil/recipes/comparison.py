"""Several methods side by side: one teacher, one student, equal starts, batches and views, paired by seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil.errors import UsageError
from pupil.recipes.options import Segmentation
from pupil.run import Run, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from pupil.data.segmentation import SegmentationData

    Datasets = tuple[SegmentationData, SegmentationData]

SECONDS = "none-seconds"
Train = Callable[[Segmentation], Run]


def compare(
    out: str | Path,
    *,
    teacher: Segmentation,
    student: Segmentation,
    methods: Sequence[str],
    seeds: Sequence[int],
    train: Train,
    equal_seconds: str | None = None,
) -> list[tuple[dict[str, Any], Run]]:
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


def same_scenes(
    rows: Sequence[tuple[Mapping[str, Any], Run]], data: SegmentationData, count: int = 4
) -> list[dict[str, Tensor]]:
    """Pictures of the same scenes through each model of the first seed: image, labels, then every prediction."""
    import torch

    from pupil.data.views import Views
    from pupil.recipes.trained import load_trained

    first: dict[str, Run] = {}
    for summary, run in rows:
        first.setdefault("teacher" if summary["role"] == "teacher" else summary["method"], run)
    views, scenes = Views(data), []
    for index in range(0, len(data), max(1, len(data) // count)):
        if len(scenes) < count:
            image, target, _ = views[index, 0]
            scenes.append((image, target, {"image": (image * 255).to(torch.uint8)}))
    for name, run in first.items():
        trained = load_trained(run.folder)
        for image, target, pictures in scenes:
            pictures.setdefault("labels", trained.task.draw(image, target))
            pictures[name] = trained.task.draw(image, trained.task.predict(trained.model, image[None])[0])
    return [pictures for _, _, pictures in scenes]


def _kept_or_trained(folder: Path, options: Segmentation, train: Train) -> Run:
    """The finished run in the folder if it has these options, the rest of an unfinished one, or a new one."""
    options = replace(options, out=str(folder))
    if (folder / "run.json").is_file():
        run = Run(folder)
        if run.record["options"] != _as_read(options):
            raise UsageError(f"{str(folder)!r} holds a run with other options: pass --overwrite or another --out")
        if run.summary:
            return run
        options = replace(
            options, resume=(folder / "checkpoint").is_dir(), overwrite=not (folder / "checkpoint").is_dir()
        )
    return train(options)


def _as_read(options: Segmentation) -> dict[str, Any]:
    """The options' record as it comes back from JSON, where a tuple is a list."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.record().items()}


def _summary(run: Run, **entries: Any) -> dict[str, Any]:
    return {**(run.summary or {}), **entries}


def _equal_steps(out: Path, seed: int, method: str, steps: int) -> int:
    """As many steps of the control as fit into the seconds that a method took."""
    seconds = {name: _summary(Run(out / f"{name}-{seed}"))["seconds"] for name in ("none", method)}
    return max(steps, round(steps * seconds[method] / seconds["none"]))
