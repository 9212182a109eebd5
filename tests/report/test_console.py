"""What the command prints: aligned, whole, within 80 columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pupil.errors import UsageError
from pupil.report.console import print_columns, print_layers, print_methods, print_scores, print_summary
from pupil.run import Run


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_columns_are_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "layer" * 30
    print_columns(["name", "count"], [["a", "7"], [long, "1,234"]], numbers=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{'name':<150}  count", f"{'a':<150}      7", f"{long}  1,234"]


def test_columns_take_text_for_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns(["shape", "note"], [["[1, 2]", ""], ["[/bold]", "x"]])
    assert capsys.readouterr().out.splitlines() == ["shape    note", "[1, 2]", "[/bold]  x"]


def test_scores_are_points_and_times_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores({"miou": 0.456, "pixel_accuracy": 0.9, "iou/lane mark": 0.0}, 1.234)
    assert capsys.readouterr().out.splitlines() == [
        "score              %",
        "mIoU            45.6",
        "pixel accuracy  90.0",
        "IoU: lane mark   0.0",
        "ms per image    1.23",
    ]


@pytest.mark.parametrize("method", ["none", "aicsd"])
def test_a_run_ends_beside_its_teacher_and_says_where_it_is(
    method: str, summary: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tmp_path / "run", {"model": {"spec": "pupil:tiny"}})
    run.finish(summary(method, 0, 0.612))
    print_summary(run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["model", "mIoU", "parameters", "ms/image", "steps", "seconds"]
    rows = [line.split() for line in lines[2:-3]]
    students = [row for row in rows if row[0] == method]
    assert students == [[method, "61.2", "25", "k", "1.25", "400", "20.0"]]
    assert (["teacher", "80.0", "2", "M", "-", "-", "-"] in rows) == (method == "aicsd")
    assert lines[-2:] == [
        f"report  {run.folder}/report.html",
        f"use it  pupil predict {run.folder} IMAGES --out DIR",
    ]
    assert max(map(len, lines[:-2])) <= 80


def test_a_network_of_the_readers_own_is_used_with_trust(
    summary: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tmp_path / "run", {"model": {"spec": "mine.nets:build"}})
    run.finish(summary("none", 0, 0.612))
    print_summary(run)
    assert capsys.readouterr().out.splitlines()[-1].endswith("IMAGES --out DIR --trust mine.nets:build")


def test_methods_are_paragraphs(capsys: pytest.CaptureFixture[str]) -> None:
    print_methods()
    paragraphs = capsys.readouterr().out.split("\n\n")
    assert paragraphs[0] == "none\n    The student and its labels, without any distillation."
    assert paragraphs[2].splitlines()[0] == "kd"
    assert paragraphs[2].splitlines()[-1] == "    --set temperature=none share=1.0 weight=none"
    assert all(line.startswith("    ") for each in paragraphs[:-1] for line in each.splitlines()[1:])


def test_layers_of_a_detector_are_followed_by_what_its_call_names(capsys: pytest.CaptureFixture[str]) -> None:
    print_layers("pupil:tiny-fcos?width=32&min_size=32&max_size=64", (32, 64), 3, kind="boxes")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[lines.index([]) + 1 :][:2] == [["feature", "shape"], ["0", "32", "x", "4", "x", "8"]]
    assert ["cls_logits", "42", "x", "4"] in lines


def test_layers_say_what_cannot_be_tapped_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    print_layers("pupil:tiny", (32, 48), 5)
    lines = capsys.readouterr().out.splitlines()
    found = {line.split()[0]: line for line in lines if line}
    assert found["decoder.lateral"].endswith("-                   it did not run in this forward pass")
    # A network of ours overwrites what BatchNorm returned; "stem.2:in" is how to tap it.
    assert found["stem.0"].split()[1] == "Conv2d"
    assert " 3 x 32 x 48 " in found["stem.0"]
    assert lines[-1].startswith("output 5 x ")
    with pytest.raises(UsageError, match=r"unknown model"):
        print_layers("pupil:nano", (32, 48), 5)
