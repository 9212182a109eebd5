"""Drawn scenes as lane data: the lines lie on the paint, and a scene is the same whenever it is asked for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.points import found
from pupil.data.street import CLASSES
from pupil.errors import UsageError

SIZE = (64, 96)


@pytest.fixture(scope="module")
def drawn() -> DrawnLanes:
    return DrawnLanes(24, SIZE)


def test_what_it_says_of_itself(drawn: DrawnLanes) -> None:
    assert (len(drawn), drawn.metric, drawn.frame) == (24, "tusimple", SIZE)
    assert len(drawn.classes) == len(drawn.colours) == 5
    rows = np.array(drawn.rows) * SIZE[0]
    assert np.array_equal(rows, rows.round())
    assert 24 <= len(rows) <= 40
    assert rows[-1] == SIZE[0] - 1


def test_slots_are_those_of_the_scene_and_run_left_to_right(drawn: DrawnLanes) -> None:
    for index in range(len(drawn)):
        lanes = drawn[index][1].numpy()
        there = found(lanes)
        exists = drawn.scenes.scene(index).lane_exists
        assert not (there.any(axis=1) & ~exists).any()
        # Each row that two lanes share has them in order.
        x = np.where(there, lanes[..., 0], np.nan)
        for left, right in pairwise(x):
            both = np.isfinite(left) & np.isfinite(right)
            assert (left[both] <= right[both]).all()


def test_paint_lies_under_the_lines_and_they_reach_the_bottom(drawn: DrawnLanes) -> None:
    away, lowest = [], []
    for index in range(len(drawn)):
        scene, lanes = drawn.scenes.scene(index), drawn[index][1].numpy()
        paint = scene.mask == CLASSES.index("lane mark")
        for lane, there in zip(lanes[1:3], found(lanes)[1:3], strict=True):
            if there.any():
                lowest.append(lane[there, 1].max())
            for x, y in lane[there & (lane[:, 1] > 40)]:
                near = paint[int(y)].nonzero()[0]
                away += [column - x for column in near if abs(column - x) < 3]
    assert len(away) > 200
    assert abs(np.mean(away)) < 0.5
    assert np.mean(np.array(lowest) == SIZE[0] - 1) > 0.8


def test_items_repeat_and_are_not_changed_by_their_readers(drawn: DrawnLanes) -> None:
    image, lanes = drawn[0]
    kept = lanes.clone()
    lanes.fill_(0)
    again = DrawnLanes(1, SIZE)[0]
    assert torch.equal(image, again[0])
    for other in (again[1], drawn[0][1]):
        assert torch.allclose(kept, other, equal_nan=True)
    assert not torch.equal(DrawnLanes(1, SIZE, split="val")[0][0], image)


def test_fewer_labels_and_what_cannot_be_drawn() -> None:
    assert len(DrawnLanes(10, labels=4)) == 4
    with pytest.raises(UsageError, match="expected a height and a width from 32 to 512"):
        DrawnLanes(1, (16, 16))
