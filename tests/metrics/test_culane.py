from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pupil.errors import UsageError
from pupil.metrics import culane_counts, culane_iou, culane_spline, evaluate_culane, f1_score

NOTHING: list[np.ndarray] = []


def upright(x: float, top: float = 100.0, bottom: float = 500.0) -> np.ndarray:
    return np.array([[x, bottom], [x, top]])


def test_iou_worked_by_hand() -> None:
    """Two upright lines of 31 columns, 10 apart, share 21 of 41 columns; their round ends share less."""
    iou = culane_iou([upright(400)], [upright(410), upright(600)])
    assert iou.shape == (1, 2)
    assert iou[0, 0] == pytest.approx(21 / 41, abs=0.01)
    assert iou[0, 1] == 0.0


def test_lanes_are_paired_so_that_the_sum_is_largest() -> None:
    """The first prediction lies nearest to the first label, but only it comes close to the second."""
    targets = [upright(400), upright(420)]
    predictions = [upright(407), upright(399)]
    iou = culane_iou(predictions, targets)
    assert iou[0, 0] > iou[0, 1] > 0.3
    assert culane_counts(predictions, targets, threshold=0.35) == (2, 0, 0)


def test_the_threshold_itself_is_not_enough() -> None:
    iou = float(culane_iou([upright(400)], [upright(410)])[0, 0])
    assert culane_counts([upright(400)], [upright(410)], threshold=iou) == (0, 1, 1)
    assert culane_counts([upright(400)], [upright(410)], threshold=iou - 1e-9) == (1, 0, 0)


def test_images_without_lanes() -> None:
    assert culane_counts(NOTHING, NOTHING) == (0, 0, 0)
    assert culane_counts([upright(400), upright(500)], NOTHING) == (0, 2, 0)
    assert culane_counts(NOTHING, [upright(400)]) == (0, 0, 1)


def test_points_that_are_not_there_are_left_out_and_a_lane_of_none_is_none() -> None:
    gap = np.insert(upright(400), 1, [np.nan, 300.0], axis=0)
    assert culane_counts([gap, np.full((3, 2), np.nan)], [upright(400)]) == (1, 0, 0)
    assert culane_counts([np.array([[400.0, 300.0]])], [upright(400)]) == (0, 1, 1)


def test_a_lane_outside_the_image_overlaps_with_nothing() -> None:
    assert culane_iou([upright(-900)], [upright(-900)]) == 0.0


def test_width_and_size_are_those_of_the_image() -> None:
    settings = {"width": 4, "size": (60, 80)}
    assert culane_counts([upright(40, 10, 50)], [upright(41, 10, 50)], **settings) == (1, 0, 0)
    assert culane_counts([upright(40, 10, 50)], [upright(46, 10, 50)], **settings) == (0, 1, 1)


def test_the_spline_passes_through_its_points_and_is_straight_where_they_are() -> None:
    lane = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 9.0], [9.0, 17.0]])
    curve = culane_spline(lane)
    assert curve.shape == (151, 2)
    np.testing.assert_allclose(curve[::50], lane, atol=1e-12)
    straight = culane_spline([[0, 0], [1, 2], [4, 8]], samples=10)
    np.testing.assert_allclose(straight[:, 1], 2 * straight[:, 0])
    np.testing.assert_allclose(np.diff(straight[:11], axis=0), [[0.1, 0.2]] * 10)


def test_the_ends_of_a_spline_do_not_bend() -> None:
    curve = culane_spline([[0, 0], [4, 10], [0, 20], [9, 30]], samples=100)
    bends = np.diff(curve, 2, axis=0)
    assert np.abs(bends[[0, -1]]).max() < 0.05 * np.abs(bends).max()


def test_short_lanes_and_repeated_points_of_a_spline() -> None:
    assert culane_spline([[1, 2]]).tolist() == [[1, 2]]
    assert culane_spline([]).shape == (0, 2)
    twice = culane_spline([[0, 0], [0, 0], [1, 2], [4, 8], [4, 8]], samples=10)
    np.testing.assert_array_equal(twice, culane_spline([[0, 0], [1, 2], [4, 8]], samples=10))


def test_points_of_another_shape_are_refused() -> None:
    with pytest.raises(UsageError, match=r"a lane as points \(P, 2\), got \(3,\): one \(x, y\) for each point"):
        culane_counts([[1.0, 2.0, 3.0]], NOTHING)


def test_f1_worked_by_hand() -> None:
    """Precision 3/4 and recall 3/5: 2 x 0.45 / 1.35."""
    assert f1_score(3, 1, 2) == pytest.approx(2 / 3)
    assert f1_score(0, 5, 5) == f1_score(0, 0, 0) == 0.0


LANE = "400 500 400 100\n"
BESIDE = "800 500 800 100\n"


def files(folder: Path, lanes: dict[str, str]) -> Path:
    for name, text in lanes.items():
        path = (folder / name).with_suffix(".lines.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def split(folder: Path, *lines: str) -> Path:
    path = folder / "list.txt"
    path.write_text("\n".join(lines))
    return path


def test_folders_are_scored_by_the_list_alone(tmp_path: Path) -> None:
    target = files(tmp_path / "labels", {"d/1.jpg": LANE + BESIDE, "d/2.jpg": "", "e/1.jpg": LANE, "e/2.jpg": LANE})
    found = files(tmp_path / "found", {"d/1.jpg": LANE + "\n", "d/2.jpg": BESIDE, "e/2.jpg": BESIDE})
    scores = evaluate_culane(found, target, split(tmp_path, "/d/1.jpg", "d/2.jpg", "", "/e/1.jpg /mask.png 1 0 0 0"))
    assert (scores.tp, scores.fp, scores.fn, scores.missing) == (1, 1, 2, 1)
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx((1 / 2, 1 / 3, 0.4))


def test_a_crossroad_has_no_lanes_to_find(tmp_path: Path) -> None:
    target = files(tmp_path / "labels", {"1.jpg": ""})
    scores = evaluate_culane(files(tmp_path / "found", {"1.jpg": LANE}), target, split(tmp_path, "1.jpg"))
    assert scores == (0.0, 0.0, 0.0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("found", "labels", "listed", "message"),
    [
        ({"1.jpg": LANE + "\n400 five"}, {"1.jpg": LANE}, ["1.jpg"], r"found/1.lines.txt, line 3: expected x y x y"),
        (
            {"1.jpg": "1 2 3"},
            {"1.jpg": LANE},
            ["1.jpg"],
            r"found/1.lines.txt, line 1: expected x y x y ..., got '1 2 3'",
        ),
        ({"1.jpg": LANE}, {"1.jpg": "1"}, ["1.jpg"], r"labels/1.lines.txt, line 1"),
        ({"1.jpg": LANE}, {}, ["1.jpg"], r"expected a text file, got .*labels/1.lines.txt"),
        ({"1.jpg": LANE}, {"2.jpg": LANE}, ["2.jpg"], r"such as .*found/2.lines.txt, got none for any of 1 images"),
        ({"1.jpg": LANE}, {"1.jpg": LANE}, [""], r"expected images in .*list.txt, got an empty file"),
    ],
)
def test_a_mistake_names_its_file(
    tmp_path: Path, found: dict[str, str], labels: dict[str, str], listed: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate_culane(
            files(tmp_path / "found", found), files(tmp_path / "labels", labels), split(tmp_path, *listed)
        )  # fmt: skip
