"""Which finished runs fit in one table, what each refusal says, and which of them is the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pupil.errors import UsageError
from pupil.recipes.comparable import comparable, differences
from pupil.recipes.options import Segmentation
from pupil.run import Run

RECORD = {
    "recipe": "segmentation",
    "data": "drawn",
    "classes": ["a", "b"],
    "ignore_index": 255,
    "scene_size": [64, 96],
    "size": [64, 96],
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finished(
    folder: str, *, method: str = "none", seed: int = 0, metric: str = "miou", ended: bool = True, **changes: Any
) -> str:
    """A run folder without weights; `changes` are entries of the record, or options."""
    record = {name: changes.pop(name, value) for name, value in RECORD.items()}
    options = Segmentation(method=method, seed=seed, **changes)
    run = Run.create(folder, {**record, "options": options.record()})
    teacher = {"name": options.teacher, "parameters": 9, "value": 0.6} if options.teacher else None
    student = {"name": options.student, "parameters": 1}
    row = {"role": "student", "method": method, "seed": seed, "metric": metric, "student": student, "teacher": teacher}
    if ended:
        run.finish(row)
    return folder


def test_the_run_that_another_learned_from_is_the_teacher(tmp_path: Path) -> None:
    teacher = finished("teacher", student="pupil:base")
    student = finished("student", method="kd", teacher=str(tmp_path / "teacher"))
    alone = finished("alone")
    rows = comparable([alone, student, teacher])
    told = [(str(run.folder), summary["role"]) for summary, run in rows]
    assert told == [("teacher", "teacher"), ("alone", "student"), ("student", "student")]
    assert (Run(teacher).summary or {})["role"] == "student"


def test_data_are_the_same_however_their_folder_is_spelled(tmp_path: Path) -> None:
    Path("photos").mkdir()
    runs = [finished("none", data="photos"), finished("kd", method="kd", data=str(tmp_path / "photos"))]
    assert len(comparable(runs)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ended": False},
            r"expected runs that have ended, got 'b': repeat its command with --resume, or leave it out",
        ),
        ({"data": "photos"}, r"expected runs of equal data, got drawn in 'a' and photos in 'b': compare them apart"),
        ({"classes": ["a", "c"]}, r"equal classes, got a, b in 'a' and a, c in 'b'"),
        ({"metric": "accuracy"}, r"equal metric, got miou in 'a' and accuracy in 'b'"),
        ({"size": [32, 48]}, r"equal size, got 64, 96 in 'a' and 32, 48 in 'b'"),
        ({"scene_size": [32, 48]}, r"equal scene_size, got 64, 96 in 'a'"),
        ({"ignore_index": 0}, r"equal ignore_index, got 255 in 'a' and 0 in 'b'"),
        ({"method": "none"}, r"expected one run of method 'none' with seed 0, got 'a' and 'b': leave one out"),
        ({"method": "none", "steps": 7}, r"got 'a' and 'b', which differ in --steps 1000 and 7: leave one out"),
        (
            {"method": "none", "settings": ("share=1",)},
            r"'b', which differ in no --set and --set share=1: leave one out",
        ),
        (
            {"student": "pupil:base"},
            r"expected runs of one student, got pupil:tiny \(1 parameters\) in 'a' and pupil:ba",
        ),
    ],
    ids=lambda value: next(reversed(value)) if isinstance(value, dict) else None,
)
def test_what_does_not_fit_in_one_table_is_named(changes: dict[str, Any], message: str) -> None:
    runs = [finished("a"), finished("b", **{"method": "kd", **changes})]
    with pytest.raises(UsageError, match=message):
        comparable(runs)


def test_no_run_twice_and_none_alone() -> None:
    finished("a")
    with pytest.raises(UsageError, match=r"expected each run once, got 'a' twice: leave one out"):
        comparable([Path("a").resolve(), "a"])
    with pytest.raises(UsageError, match=r"expected two runs or more to compare, got 1: name their folders"):
        comparable(["a"])
    with pytest.raises(UsageError, match=r"expected a run folder, got 'b', which does not exist"):
        comparable(["a", "b"])


def test_differences_leave_out_what_is_compared_and_how_a_run_was_made() -> None:
    first = Run(finished("a", method="none"))
    second = Run(finished("b", method="kd", seed=3, settings=("share=1",), teacher="t", device="cpu", workers=2))
    assert differences([first, second]) == []
    third = Run(finished("c", method="kd", teacher="other", steps=800))
    assert differences([first, second, third]) == ["--steps 1000 and 800", "--teacher t and other"]


def test_runs_of_one_method_stand_side_by_side_under_names_of_their_own() -> None:
    finished("a")
    finished("b", flip=False)
    rows = comparable(["a", "mirrored=b"])
    assert [summary["method"] for summary, _ in rows] == ["none", "mirrored"]
    finished("odd=name", method="kd")
    assert [summary["method"] for summary, _ in comparable(["a", "odd=name"])] == ["none", "kd"]
