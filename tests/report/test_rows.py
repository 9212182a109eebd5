from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pupil.errors import UsageError
from pupil.report.rows import aggregate, best


def test_order_teacher_controls_methods(comparison: list[dict[str, Any]]) -> None:
    assert [row.label for row in aggregate(comparison)] == ["teacher", "none", "none-seconds", "aicsd", "kd"]


def test_gains_are_paired_by_seed(comparison: list[dict[str, Any]]) -> None:
    rows = {row.label: row for row in aggregate(comparison)}
    assert rows["aicsd"].gains == pytest.approx({0: 0.02, 1: 0.03, 2: 0.04})
    assert rows["kd"].gains == pytest.approx({0: -0.01, 1: 0.01, 2: -0.03})
    assert rows["kd"].gain is not None
    assert rows["kd"].gain.mean == pytest.approx(-0.01)
    assert rows["kd"].gain.spread == pytest.approx(0.02)
    # Paired with seed 1 of the control (0.62), not with the mean of its seeds.
    assert rows["none-seconds"].gains == pytest.approx({1: 0.01})
    assert rows["none"].gain is None
    assert rows["teacher"].gain is None


def test_the_student_alone_stands_beside_each_gain(comparison: list[dict[str, Any]]) -> None:
    rows = {row.label: row for row in aggregate(comparison)}
    means = {label: row.alone and row.alone.mean for label, row in rows.items()}
    # 62 over all seeds, and also at seed 1 alone.
    kept = pytest.approx(0.62)
    assert means == {"teacher": None, "none": None, "none-seconds": kept, "aicsd": kept, "kd": kept}


def test_pairing_beats_the_difference_of_means(summary: Callable[..., dict[str, Any]]) -> None:
    runs = [summary("none", 0, 0.50), summary("none", 1, 0.70), summary("kd", 1, 0.71), summary("kd", 2, 0.90)]
    row = best(aggregate(runs))
    assert row is not None
    assert row.gains == pytest.approx({1: 0.01})
    assert row.value.count == 2


def test_metrics_are_averaged_over_seeds(comparison: list[dict[str, Any]]) -> None:
    row = next(row for row in aggregate(comparison) if row.label == "aicsd")
    assert row.scores["iou/car"] == pytest.approx((0.52 + 0.55 + 0.58) / 3)


def test_a_teacher_known_by_name_alone_gets_one_row(summary: Callable[..., dict[str, Any]]) -> None:
    rows = aggregate([summary("kd", 3, 0.6), summary("kd", 4, 0.6)])
    assert (rows[0].label, rows[0].name, rows[0].parameters) == ("teacher", "pupil:large", 2_000_000)
    assert rows[0].value.points() == "80.0"
    assert len(rows) == 2


def test_best_is_the_highest_mean_gain_and_never_a_control(comparison: list[dict[str, Any]]) -> None:
    row = best(aggregate(comparison))
    assert row is not None
    assert row.method == "aicsd"
    assert best(aggregate([each for each in comparison if each["method"].startswith("none")])) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "abs_rel"}, "expected one metric in a table, got abs_rel, miou"),
        ({"task": "depth"}, "expected one task in a table, got depth, segmentation"),
        ({"seed": 0}, "got seed 0 twice"),
        ({"student": {"name": "other", "parameters": 1}}, "expected one network for student 'kd'"),
    ],
)
def test_what_does_not_fit_in_one_table_is_refused(
    summary: Callable[..., dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        aggregate([summary("kd", 0, 0.6), {**summary("kd", 1, 0.6), **change}])


def test_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="expected at least one summary"):
        aggregate([])
