"""The main job in three minutes on a CPU: is a small network better with a teacher than alone?"""

from __future__ import annotations

import time
from dataclasses import replace

from pupil.errors import UsageError
from pupil.recipes.options import Segmentation
from pupil.recipes.training import smaller

TEACHER = Segmentation(student="pupil:base", steps=500, evaluations=2, size="64x96", seed=0)
STUDENT = Segmentation(student="pupil:tiny", steps=300, evaluations=5, size="64x96")
METHODS = ("none", "kd", "aicsd")


def demo(*, seeds: str = "0 1 2", out: str = "runs/demo", overwrite: bool = False, smoke: bool = False) -> None:
    """Train a teacher, then the same small student alone, with kd and with aicsd, and show the table.

    Command: `pupil demo --seeds "0 1 2"`
    Data: drawn street scenes.
    Hardware: two CPU cores, about three minutes.

    Args:
        seeds: paired seeds, separated by spaces or commas.
        out: folder of the comparison: summary.json, report.html and one run a model.
        overwrite: replace an earlier comparison.
        smoke: shrink everything.
    """
    numbers = parse_seeds(seeds)
    from rich.console import Console

    from pupil.data.segmentation import segmentation_data
    from pupil.recipes.comparison import clear, compare, write_comparison
    from pupil.recipes.segmentation import segmentation
    from pupil.report.table import Table

    clear(out, overwrite=overwrite)
    start = time.perf_counter()
    teacher, student = (replace(each, **smaller(each)) if smoke else each for each in (TEACHER, STUDENT))
    # One pair of data sets for all: every scene is drawn once.
    train, val = segmentation_data("drawn", scenes=(16, 8) if smoke else (1000, 200))
    rows = compare(
        out,
        teacher=teacher,
        student=student,
        methods=METHODS,
        seeds=numbers,
        train=lambda options: segmentation(options, (train, val)),
        equal_seconds="aicsd",
    )
    write_comparison(
        out,
        rows,
        val,
        title="Drawn street scenes",
        lead="...",
        commands=[f'pupil demo --seeds "{" ".join(map(str, numbers))}"'],
    )
    Console().print(Table([summary for summary, _ in rows]).to_rich())
    print(f"{time.perf_counter() - start:.0f} s  {out}/report.html  {out}/summary.json")


def parse_seeds(text: str) -> list[int]:
    """Seeds from "0 1 2" or "0,1,2".

    Example:
        >>> parse_seeds("7, 8 9")
        [7, 8, 9]
    """
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isdigit() for part in parts) or len(set(parts)) < len(parts):
        raise UsageError(f'expected different whole numbers as seeds, got {text!r}: for example --seeds "0 1 2"')
    return [int(part) for part in parts]
