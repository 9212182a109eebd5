"""What every recipe of a paper has to do: run by the command on a miniature of its layout, teacher, control and all."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

from command import Ended, pupil
from pupil.recipes.options import Segmentation
from pupil.run import Run

TINY = ("--smoke", "--device", "cpu", "--size", "48x48", "--base", 48, "--evaluation-size", "48x48")


def run(recipe: ModuleType, *words: object) -> Ended:
    return pupil("train", recipe.NAME, *TINY, *words)


def check(recipe: ModuleType, data: Path, classes: int, *words: object, terms: set[str]) -> None:
    """Train a teacher, the student and the control as the docstring says, each with its own small network."""
    options: Segmentation = recipe.PUBLISHED
    for role, out in [
        (("--method", "none"), "teacher"),
        (("--teacher", "teacher"), "student"),
        (("--method", "none"), "control"),
    ]:
        ended = run(recipe, "--data", data, *words, *role, "--out", out)
        assert ended.code == 0, ended.err
    teacher, taught = Run("teacher"), Run("student")
    assert taught.summary is not None
    assert (taught.record["recipe"], taught.summary["method"]) == (recipe.NAME, options.method)
    assert len(taught.record["classes"]) == classes
    assert taught.record["data_format"] == options.format
    kept = taught.record["options"]
    for name in (
        "learning_rate",
        "momentum",
        "weight_decay",
        "schedule",
        "optimizer",
        "scale",
        "flip",
        "warmup",
        "clip",
    ):
        assert kept[name] == getattr(options, name), name
    assert kept["settings"] == [*options.settings]
    assert teacher.record["options"]["settings"] == []
    shown = [row["terms"] for row in taught.metrics if "terms" in row][-1]
    assert set(shown) == {"task", *terms}
    assert all(math.isfinite(value) for value in shown.values())
    assert not taught.record["weights"], "a paper's weights are fixed, and no share is measured"
    ended = pupil("evaluate", "student")
    assert ended.code == 0, ended.err
    assert pupil("compare", "teacher", "student", "control", "--out", "comparison").code == 0


def epochs(options: Segmentation, images: int) -> float:
    return options.steps * options.batch_size / images
