"""Lanes as points: what counts as seen, where they are at rows, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.lanes.points import at_rows, drawn_mask, found, without_unseen

NAN = np.nan


def test_a_lane_outside_the_image_is_not_there_and_one_inside_keeps_all_its_points() -> None:
    lanes = np.array([[[-2, 3], [1, 1], [NAN, 0]], [[-2, 3], [-1, 1], [NAN, 0]], [[9.6, 3], [NAN, NAN], [NAN, 0]]])
    kept = without_unseen(lanes.astype(np.float32), (4, 10))
    assert np.array_equal(kept[0], lanes[0].astype(np.float32), equal_nan=True)
    assert found(kept).tolist() == [[True, True, False], [False] * 3, [False] * 3]
    # The rows that were looked at are still known.
    assert np.array_equal(kept[1:, :, 1], lanes[1:, :, 1], equal_nan=True)


def test_a_lane_that_crosses_the_image_without_a_point_in_it_is_there() -> None:
    crossing, corner, above = [[-2, 3], [12, 0]], [[-2, 3], [-1, 9]], [[2, -1], [5, -3]]
    kept = without_unseen(np.array([crossing, corner, above], np.float32), (4, 10))
    assert found(kept).any(axis=1).tolist() == [True, False, False]


@pytest.mark.parametrize(("x", "y", "there"), [(-0.5, 0, True), (-0.6, 0, False), (9.4, 3.4, True), (9.5, 0, False)])
def test_the_image_reaches_half_a_pixel_beyond_the_centres_at_its_border(x: float, y: float, there: bool) -> None:
    kept = without_unseen(np.array([[[x, y]]], np.float32), (4, 10))
    assert found(kept).tolist() == [[there]]


def test_rows_between_points_are_filled_and_rows_beyond_them_are_not() -> None:
    lane = [[10, 30], [NAN, 25], [20, 20], [NAN, NAN], [25, 10]]
    assert at_rows(lane, [30, 25, 20, 15, 10, 9, 31]).tolist() == pytest.approx(
        [10, 15, 20, 22.5, 25, NAN, NAN], nan_ok=True
    )
    assert np.isnan(at_rows([[NAN, 5]], [5, 6])).all()


@pytest.mark.parametrize("width", [1, 3, 5, 9])
def test_a_line_lies_evenly_around_its_points(width: int) -> None:
    random = np.random.default_rng(0)
    away = []
    for _ in range(50):
        above, below = random.uniform(20, 180, 2)
        lane = np.stack([np.linspace(above, below, 26), np.linspace(0, 100, 26)], axis=1)
        mask = drawn_mask([lane], (101, 200), width)
        middles = [mask[row].nonzero()[0].mean() for row in range(10, 90)]
        away.extend(middles - np.interp(range(10, 90), lane[:, 1], lane[:, 0]))
    assert abs(np.mean(away)) < 0.1
    assert np.std(away) < 0.5


def test_each_lane_has_its_id_and_what_is_not_there_is_not_drawn() -> None:
    lanes = [[[2, 0], [2, 9]], [[NAN, 0], [NAN, 9]], [[7, 4], [NAN, 9]]]
    mask = drawn_mask(lanes, (10, 10), 1)
    assert mask.dtype == np.uint8
    assert (mask[:, 2] == 1).all()
    assert np.argwhere(mask > 1).tolist() == [[4, 7]]
    assert mask[4, 7] == 3


def test_a_line_reaches_the_border_towards_a_point_outside() -> None:
    mask = drawn_mask([[[5, 0], [-5, 10]]], (11, 11), 1)
    assert [row.nonzero()[0].tolist() for row in mask[:6]] == [[5], [4], [3], [2], [1], [0]]
