from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pupil.report.headline import doubts, evidence, facts, gap_closed, headline
from pupil.report.table import Table

Make = Callable[..., dict[str, Any]]


def against_none(summary: Make, *values: float) -> Table:
    runs = [summary("none", seed, 0.60) for seed in range(len(values))]
    return Table(runs + [summary("kd", seed, value) for seed, value in enumerate(values)])


def test_a_gain_that_every_seed_shows(comparison: list[dict[str, Any]]) -> None:
    table = Table(comparison)
    assert headline(table) == "aicsd: +3.0 points over the student alone"
    assert evidence(table) == [
        "Mean of 3 paired seeds, all of them ahead; spread 1.0.",
        "Without any distillation, none-seconds +1.0.",
        "This closes 17% of the gap to the teacher.",  # 3 of the 18 points from 62 to 80
        "aicsd is the best of the 2 methods compared here.",
    ]


def test_a_control_that_gains_more_is_said_to(summary: Make) -> None:
    runs = [summary("none", 0, 0.60), summary("kd", 0, 0.61), summary("label-smoothing", 0, 0.64)]
    assert "Without any distillation, label-smoothing +4.0: more than that." in evidence(Table(runs))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((0.59, 0.58), "No gain: kd is at -1.5 points against the student alone"),
        ((0.6001, 0.6002), "No gain: kd is at 0.0 points against the student alone"),
        ((0.59, 0.63), "kd: +1.0 points over the student alone, within the spread of the seeds"),
        ((0.63,), "kd: +3.0 points over the student alone, with one seed"),
    ],
)
def test_what_is_no_gain_is_not_called_one(summary: Make, values: tuple[float, ...], sentence: str) -> None:
    assert headline(against_none(summary, *values)) == sentence


def test_one_seed_is_a_hint(summary: Make) -> None:
    assert evidence(against_none(summary, 0.63))[0] == "One seed: a hint, not a result."


def test_no_gain_is_claimed_without_the_control(summary: Make) -> None:
    table = Table([summary("kd", 0, 0.63)])
    assert headline(table) == "kd: 63.0 mIoU"
    assert "claims no gain: train it with --method none and use `pupil compare`." in evidence(table)[0]
    assert gap_closed(table) is None


@pytest.mark.parametrize(("role", "who"), [("teacher", "The teacher"), ("student", "The student alone")])
def test_a_run_without_distillation(summary: Make, role: str, who: str) -> None:
    table = Table([summary("none", 0, 0.63, role=role)])
    assert headline(table) == f"{who}: 63.0 mIoU"
    assert evidence(table) == []
    assert facts(table)[-1] == ("25 k", "parameters")


def test_the_gap_is_measured_at_the_seeds_of_the_gain(summary: Make) -> None:
    # Seed 5 has no control: it must not move the start of the gap, 60, from which the teacher is 20 away.
    table = Table([summary("none", 0, 0.60), summary("kd", 0, 0.65), summary("kd", 5, 0.10)])
    assert gap_closed(table) == pytest.approx(0.25)


def test_the_student_alone_is_taken_at_the_seeds_of_the_gain(summary: Make) -> None:
    table = Table([summary("none", 0, 0.40), summary("kd", 0, 0.50), summary("kd", 1, 0.70)])
    assert facts(table)[:2] == [("60.0", "mIoU of kd"), ("40.0", "mIoU of the student alone")]


def test_facts_compare_with_the_teacher(comparison: list[dict[str, Any]]) -> None:
    assert facts(Table(comparison)) == [
        ("65.0", "mIoU of aicsd"),
        ("62.0", "mIoU of the student alone"),
        ("80.0", "mIoU of the teacher"),
        ("80×", "smaller: 25 k parameters for 2 M"),
        ("8.0×", "faster: 1.25 ms an image for 10.0 ms"),
    ]


@pytest.mark.parametrize(("value", "count"), [(0.55, 1), (0.60, 1), (0.65, 0)])
def test_a_teacher_that_is_behind_the_student_alone_is_said_to_be(summary: Make, value: float, count: int) -> None:
    teacher = {"name": "pupil:large", "parameters": 2_000_000, "value": value}
    runs = [summary("none", 0, 0.60), summary("kd", 0, 0.62, teacher=teacher)]
    found = doubts(Table(runs))
    assert len(found) == count
    assert all(f"({100 * value:.1f}) is not ahead of the student alone (60.0)" in each for each in found)
    assert doubts(Table(runs[1:])) == doubts(Table(runs[:1])) == []
