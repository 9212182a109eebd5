"""What runs say of themselves, as other commands read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import pupil, train
from pupil.run import Run


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_student_of_a_teacher_names_it_with_its_size_score_and_hash(teacher: Path, miniature: Path) -> None:
    words = ["--data", miniature, "--size", "32x48", "--out", "out", "--teacher", teacher, "--method", "kd"]
    assert train(*words).code == 0
    run, told = Run("out"), Run(teacher)
    assert run.record["teacher"]["sha256"] == told.weights_hash()
    assert told.summary is not None
    assert run.summary is not None
    assert run.summary["teacher"]["parameters"] == told.summary["student"]["parameters"]
    assert run.summary["teacher"]["value"] == pytest.approx(told.summary["value"])
    assert {"role", "recipe", "method", "task", "metric", "value", "seed", "steps", "data"} <= run.summary.keys()
    assert run.record["options"]["method"] == run.summary["method"] == "kd"


def test_a_student_that_starts_from_a_run_is_rebuilt_from_what_that_was_built_from(teacher: Path) -> None:
    record = Run(teacher).record
    data = ["--data", record["data"], "--size", "32x48"]
    assert train("--student", teacher, "--out", "out", *data).code == 0
    assert Run("out").record["model"]["spec"] == record["model"]["spec"]
    assert pupil("evaluate", "out").code == 0
