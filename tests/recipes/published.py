"""What every recipe of a paper has to do: run by the command on a miniature of its layout, teacher, control and all."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

from command import Ended, pupil
from pupil.methods import ALONE
from pupil.recipes.options import Segmentation
from pupil.recipes.paper import Options
from pupil.run import Run

TINY = ("--smoke", "--device", "cpu", "--log-every", 1)
CROPS = ("--size", "48x48", "--base", 48, "--evaluation-size", "48x48")
# What a smoke run shrinks or is told anyway; every other option is the paper's.
SHRUNK = {"device", "log_every", "steps", "batch_size", "accumulate", "evaluations", "size", "evaluation_size", "base"}


def run(recipe: ModuleType, *words: object) -> Ended:
    crops = CROPS if isinstance(recipe.PUBLISHED, Segmentation) else ()
    return pupil("train", recipe.NAME, *TINY, *crops, *words)


def check(recipe: ModuleType, data: Path, classes: int, *words: object, terms: set[str]) -> list[dict[str, float]]:
    """Train the student and its control, and a teacher if there is one, as the docstring says; returns the terms."""
    options: Options = recipe.PUBLISHED
    alone = options.method in ALONE
    student = ("student", () if alone else ("--teacher", "teacher"))
    roles = [student, *((out, ("--method", "none")) for out in (["control"] if alone else ["control", "teacher"]))]
    for out, role in reversed(roles):
        ended = run(recipe, "--data", data, *words, *role, "--out", out)
        assert ended.code == 0, ended.err
    control, taught = Run("control"), Run("student")
    assert taught.summary is not None
    assert (taught.record["recipe"], taught.summary["method"]) == (recipe.NAME, options.method)
    assert len(taught.record["classes"]) == classes
    given = {word.removeprefix("--").replace("-", "_") for word in map(str, words)}
    if "format" not in given:
        assert taught.record["data_format"] == options.format
    kept = taught.record["options"]
    for name, value in options.record().items():
        if name not in {*SHRUNK, *given, "data", "teacher"}:
            assert kept[name] == ([*value] if isinstance(value, tuple) else value), name
    assert control.record["options"]["settings"] == []
    shown: list[dict[str, float]] = [row["terms"] for row in taught.metrics if "terms" in row]
    assert all(set(each) == {"task", *terms} for each in shown)
    assert all(math.isfinite(value) for each in shown for value in each.values())
    assert not taught.record["weights"], "a paper's weights are fixed, and no share is measured"
    ended = pupil("evaluate", "student")
    assert ended.code == 0, ended.err
    assert pupil("compare", *(out for out, _ in roles), "--out", "comparison").code == 0
    return shown


def epochs(options: Options, images: int) -> float:
    """How often each of so many images is seen."""
    return options.steps * options.batch_size / images


def settings(options: Options) -> dict[str, float]:
    """The paper's numbers of the method."""
    pairs = (each.split("=") for each in options.settings)
    return {name: float(value) for name, value in pairs}
