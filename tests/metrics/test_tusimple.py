from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pupil.errors import UsageError
from pupil.metrics import evaluate_tusimple, tusimple_scores

ROWS = np.arange(160, 360, 10)


def lane(x: float, slope: float = 0.0, absent: int = 0) -> np.ndarray:
    """A lane through x at the lowest row, absent from so many of the highest."""
    points = x + slope * (ROWS - ROWS[-1])
    points[:absent] = -2
    return points.astype(float)


def test_worked_by_hand() -> None:
    """Two labelled lanes of twenty rows, one found on all, one on 16 (0.8, too few), and a third prediction."""
    off = lane(700)
    off[:4] += 50
    scores = tusimple_scores([lane(310), off, lane(1100)], [lane(300), lane(700)], ROWS)
    assert scores == pytest.approx(((1.0 + 0.8) / 2, 2 / 3, 1 / 2))


def test_a_lane_found_on_exactly_85_percent_counts() -> None:
    close = lane(300)
    close[:3] += 50
    assert tusimple_scores([close], [lane(300)], ROWS) == (0.85, 0.0, 0.0)


def test_the_tolerance_is_20_pixels_across_the_lane() -> None:
    for slope in (0.0, 1.0, -2.0):
        tolerance = 20 * math.hypot(1, slope)
        target = lane(900, slope)
        assert tusimple_scores([target + tolerance - 0.01], [target], ROWS).accuracy == 1.0
        assert tusimple_scores([target + tolerance + 0.01], [target], ROWS).accuracy == 0.0


def test_the_angle_is_that_of_the_points_that_are_there() -> None:
    target = lane(900, slope=2.0, absent=9)
    assert tusimple_scores([np.where(target > 0, target + 44, -2)], [target], ROWS).accuracy == 1.0
    single = lane(300, absent=19)
    assert tusimple_scores([np.where(single > 0, single + 21, -2)], [single], ROWS).accuracy == 0.95


def test_absent_rows_agree_with_absent_rows_alone() -> None:
    target = lane(300, absent=5)
    assert tusimple_scores([lane(300, absent=5)], [target], ROWS).accuracy == 1.0
    assert tusimple_scores([lane(300)], [target], ROWS).accuracy == 0.75
    low = lane(5)
    assert tusimple_scores([np.where(np.arange(20) < 5, np.nan, low)], [lane(5, absent=5)], ROWS).accuracy == 1.0


def test_one_prediction_may_serve_two_lanes() -> None:
    assert tusimple_scores([lane(310)], [lane(300), lane(320)], ROWS) == (1.0, -1.0, 0.0)


def test_the_worst_of_five_lanes_is_forgiven() -> None:
    five = [lane(100 * number) for number in range(1, 6)]
    assert tusimple_scores(five[:4], five, ROWS) == (1.0, 0.0, 0.0)
    assert tusimple_scores(five[:3], five, ROWS) == (0.75, 0.0, 0.25)
    assert tusimple_scores(five[:3], five[:4], ROWS) == (0.75, 0.0, 0.25)


def test_nothing_predicted_and_nothing_labelled() -> None:
    nothing = np.empty((0, len(ROWS)))
    assert tusimple_scores([], [lane(300)], ROWS) == (0.0, 0.0, 1.0)
    assert tusimple_scores([lane(300)], nothing, ROWS) == (0.0, 1.0, 0.0)
    assert tusimple_scores(nothing, [], ROWS) == (0.0, 0.0, 0.0)


def test_too_many_lanes_and_too_long_a_wait_score_nothing() -> None:
    target = [lane(300)]
    many = [lane(300), lane(600), lane(900), lane(1200)]
    assert tusimple_scores(many, target, ROWS) == (0.0, 0.0, 1.0)
    assert tusimple_scores(many[:3], target, ROWS).accuracy == 1.0
    assert tusimple_scores(target, target, ROWS, run_time=200).accuracy == 1.0
    assert tusimple_scores(target, target, ROWS, run_time=201) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        ([[1, 2, 3]], r"lanes \(L, 20\), one x for each row, got \(1, 3\): write -2 where a lane is not"),
        ([[1, 2], [3]], "20 numbers in each lane"),
        ([1, 2, 3], r"got \(3,\)"),
        ([[]], r"got \(1, 0\)"),
    ],
)
def test_lanes_of_another_number_of_rows_are_refused(prediction: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tusimple_scores(prediction, [lane(300)], ROWS)


def write(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines))
    return path


def label(name: str, *lanes: np.ndarray) -> dict[str, Any]:
    return {"raw_file": name, "lanes": [each.tolist() for each in lanes], "h_samples": ROWS.tolist()}


def found(name: str, *lanes: np.ndarray, **others: Any) -> dict[str, Any]:
    return {"raw_file": name, "lanes": [each.tolist() for each in lanes], **others}


def test_files_score_the_mean_over_images_in_any_order(tmp_path: Path) -> None:
    target = write(tmp_path / "labels.json", label("a", lane(300)), "", label("b", lane(300), lane(600)))
    prediction = write(tmp_path / "found.json", found("b", lane(600)), found("a", lane(300), run_time=90.5))
    assert evaluate_tusimple(prediction, target) == (0.75, 0.0, 0.25)


A, B = label("a", lane(300)), label("b", lane(300))


@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        ([A], [A, B], r"got 1 that are not in .*found.json, such as 'b': write one line for each image"),
        ([A, B], [A], r"got 1 that are not in .*labels.json, such as 'b'"),
        ([A, A], [A], r"found.json, line 2: expected each image once, got 'a' again, as in .*found.json, line 1"),
        ([A, "", "{nonsense"], [A], r"found.json, line 3: expected a JSON object, got '\{nonsense'"),
        ([A, "[1]"], [A], r"found.json, line 2: expected a text raw_file and a list lanes, got '\[1\]'"),
        ([{"raw_file": "a"}], [A], r"found.json, line 1: expected a text raw_file and a list lanes"),
        ([found("a", lane(300)[:5])], [A], r"found.json, line 1: expected lanes \(L, 20\)"),
        ([found("a", run_time="fast")], [A], r"found.json, line 1: expected run_time in milliseconds, got 'fast'"),
        ([A], [found("a")], r"labels.json, line 1: expected a list h_samples, got \['lanes', 'raw_file'\]"),
        ([], [A], r"expected lanes as JSON lines in .*found.json, got an empty file"),
    ],
)
def test_a_mistake_names_its_file_and_line(
    tmp_path: Path, predictions: list[Any], targets: list[Any], message: str
) -> None:
    files = write(tmp_path / "found.json", *predictions), write(tmp_path / "labels.json", *targets)
    with pytest.raises(UsageError, match=message):
        evaluate_tusimple(*files)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a file of JSON lines, got .*nowhere.json"):
        evaluate_tusimple(tmp_path / "nowhere.json", tmp_path / "nowhere.json")
