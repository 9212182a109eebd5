"""The demo: one command from drawn scenes to a table, a summary and a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import pupil
from pupil.recipes.demo import METHODS, STUDENT, TEACHER


def test_student_and_teacher_are_asked_the_same_question() -> None:
    for name in ("size", "data", "scale", "flip", "colour"):
        assert getattr(STUDENT, name) == getattr(TEACHER, name)
    assert METHODS[0] == "none"
    assert "aicsd" in METHODS


@pytest.mark.slow
def test_the_demo_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "demo"
    ended = pupil("demo", "--smoke", "--seeds", "7,8", "--out", out)
    assert ended.code == 0, ended.err
    rows = json.loads((out / "summary.json").read_text())["rows"]
    expected = {("teacher", "none", TEACHER.seed)}
    expected |= {("student", method, seed) for seed in (7, 8) for method in (*METHODS, "none-seconds")}
    assert {(row["role"], row["method"], row["seed"]) for row in rows} == expected
    assert all(0.0 <= row["value"] <= 1.0 for row in rows)
    page = (out / "report.html").read_text()
    assert "<script" not in page
    assert 'src="http' not in page
    assert page.count("data:image/png;base64,") >= 4 * (2 + 1 + len(METHODS))
    for label in ("teacher", *METHODS, "none-seconds"):
        assert f"\n{label}" in ended.out
    again = pupil("demo", "--smoke", "--seeds", "7,8", "--out", out)
    assert again.code == 2
    assert "holds a comparison already: pass --overwrite or another --out" in again.err
