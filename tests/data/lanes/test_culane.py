"""CULane: its lists and scenes, slots by flags or by position, and every mistake by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.lanes.lane_layouts import write_culane_layout
from data.layouts import lines
from pupil.data.lanes.culane import LISTS, POINTS, ROWS, SCENES, CULane, read_lanes
from pupil.data.lanes.points import found
from pupil.errors import UsageError
from pupil.tasks.lanes_metrics import LanesMetrics

LINES = "driver/train_gt/00000.lines.txt"
RIGHT, LEFT = [[70.5, 35], [48, 30.5], [40, 20]], [[-4, 35], [10, 30], [22, 20]]


def slots(data: CULane, index: int = 0) -> list[int]:
    return np.flatnonzero(found(data[index][1].numpy()).any(axis=1)).tolist()


def test_splits_and_scenes(tmp_path: Path) -> None:
    write_culane_layout(tmp_path)
    assert CULane.fits(tmp_path)
    assert [len(CULane(tmp_path, split)) for split in ("train", "val", "test", "normal")] == [2, 1, 2, 1]
    assert (len(SCENES), LISTS["night"]) == (9, "test_split/test8_night.txt")
    data = CULane(tmp_path, "train")
    assert (data.metric, len(data.classes), data.frame) == ("culane", 5, (36, 64))
    assert data.names == ["driver/train_gt/00000.jpg", "driver/train_gt/00001.jpg"]


def test_predictions_are_given_at_eighteen_rows() -> None:
    assert [round(row * 590) for row in ROWS] == list(range(249, 590, 20))
    assert len(ROWS) == 18


@pytest.mark.parametrize("split", ["train", "test"])
def test_lanes_go_left_to_right_into_the_middle_slots(tmp_path: Path, split: str) -> None:
    lanes = CULane(write_culane_layout(tmp_path), split)[0][1].numpy()
    assert lanes.shape == (4, POINTS, 2)
    # Points outside the image stay, so that a lane is drawn up to its border.
    assert lanes[1, :3].tolist() == LEFT
    assert lanes[2, :3].tolist() == RIGHT
    assert np.isnan(lanes[[0, 3]]).all()
    assert np.isnan(lanes[1:3, 3:]).all()


def test_flags_say_which_slots_where_they_fit(tmp_path: Path) -> None:
    write_culane_layout(tmp_path)
    image = "/driver/train_gt/00000.jpg /mask.png"
    for flags, expected in {"1 0 0 1": [0, 3], "0 0 1 1": [2, 3], "0 0 1 0": [1, 2], "": [1, 2]}.items():
        lines(tmp_path / "list" / "train_gt.txt", [f"{image} {flags}"])
        assert slots(CULane(tmp_path, "train")) == expected


def test_a_lane_without_a_point_in_the_image_is_counted_as_the_benchmark_counts_it(tmp_path: Path) -> None:
    lines(write_culane_layout(tmp_path) / LINES, ["-9 30 -1 20", "48 30 40 20"])
    data = CULane(tmp_path, "train")
    assert slots(data) == [1, 2]
    scores = LanesMetrics("culane", frame=data.frame)
    target = data[0][1].as_subclass(torch.Tensor)[None]
    scores.update(target[:, 2:3], target)
    assert scores.compute() == pytest.approx({"f1": 2 / 3, "precision": 1, "recall": 0.5, "tp": 1, "fp": 0, "fn": 1})
    lines(tmp_path / LINES, [])
    assert slots(CULane(tmp_path, "train")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 x 4", r"expected numbers in .*00000\.lines\.txt, line 2, got '1 2 x 4'"),
        ("1 2 3", r"expected pairs x y of at most 590 points in .*00000\.lines\.txt, line 2, got 3 numbers"),
        ("1 nan", r"expected pairs x y .*line 2, got 2 numbers"),
        ("1 2 " * 591, r"expected pairs x y .*line 2, got 1182 numbers"),
    ],
)
def test_an_unreadable_line_of_lanes_is_named(tmp_path: Path, text: str, said: str) -> None:
    lines(write_culane_layout(tmp_path) / LINES, ["48 30 40 20", text])
    with pytest.raises(UsageError, match=said):
        CULane(tmp_path, "train")[0]


def test_what_else_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown split of CULane 'nigth': did you mean night"):
        CULane(tmp_path, "nigth")
    with pytest.raises(UsageError, match=r"expected a list of images at .*test3_shadow\.txt, got no such file"):
        CULane(tmp_path, "shadow")
    write_culane_layout(tmp_path)
    (tmp_path / LINES).unlink()
    with pytest.raises(UsageError, match=r"cannot read .*00000\.lines\.txt: expected the lanes of its image"):
        read_lanes(tmp_path / LINES)
    lines(tmp_path / LINES, ["48 30 40 20"] * 5)
    with pytest.raises(UsageError, match=r"00000\.lines\.txt: expected at most 4 lanes in an image, got 5"):
        CULane(tmp_path, "train")[0]
    lines(tmp_path / "list" / "train_gt.txt", ["/a.jpg /a.png 0 2 0 1"])
    with pytest.raises(UsageError, match=r"flags 0 or 1 in .*train_gt\.txt, line 1, got '/a\.jpg /a\.png 0 2 0 1'"):
        CULane(tmp_path, "train")
