"""Slots: left to right around the lane that is driven in, whatever the order of the labels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pupil.data.lanes.slots import bottom, lane_slots
from pupil.errors import UsageError

SIZE = (72, 128)


def lane(below: float) -> np.ndarray:
    """A lane that goes from some column at the bottom row to the middle of the image."""
    rows = np.arange(30.0, 61, 10)
    return np.stack([below + (64 - below) * (71 - rows) / 71, rows], axis=1)


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_the_order_of_the_labels_does_not_matter(order: tuple[int, ...]) -> None:
    bottoms = [-60.0, 30.0, 90.0, 200.0]
    assert lane_slots([lane(bottoms[index]) for index in order], 6, SIZE) == [index + 1 for index in order]


@pytest.mark.parametrize(
    ("bottoms", "slots"),
    [
        ([], []),
        ([30.0], [2]),
        ([90.0], [3]),
        ([-60.0, 30.0], [1, 2]),
        ([90.0, 200.0, 400.0], [3, 4, 5]),
        # Four on the right have three slots there: all move over, and none is lost.
        ([90.0, 200.0, 400.0, 600.0], [2, 3, 4, 5]),
        ([-500.0, -300.0, -60.0, 30.0, 90.0], [0, 1, 2, 3, 4]),
    ],
)
def test_the_two_in_the_middle_border_the_own_lane(bottoms: list[float], slots: list[int]) -> None:
    assert lane_slots([lane(below) for below in bottoms], 6, SIZE) == slots


def test_more_lanes_than_slots_are_refused() -> None:
    with pytest.raises(UsageError, match="expected at most 2 lanes in an image, got 3: mend the label"):
        lane_slots([lane(below) for below in (1.0, 2.0, 3.0)], 2, SIZE)


def test_the_bottom_is_read_off_the_lowest_points() -> None:
    bent = np.array([[0.0, row] for row in range(20)] + [[2.0 * (row - 20), row] for row in range(20, 40)])
    assert bottom(bent, 60) == pytest.approx(80)
    assert bottom(bent[::-1], 60) == pytest.approx(80)
    assert bottom(np.array([[7.0, 3], [np.nan, 4]]), 60) == 7
    assert bottom(np.array([[7.0, 3], [9, 3]]), 60) == 8
