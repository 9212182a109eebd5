"""What is written in TuSimple's form is what its reader reads, and what its evaluation is given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data.lanes.lane_layouts import (
    FAR_LEFT,
    LEFT,
    RIGHT,
    write_bdd100k_layout,
    write_culane_layout,
    write_tusimple_layout,
)
from data.layouts import lines
from pupil.data.lanes.bdd100k import BDD100K
from pupil.data.lanes.culane import CULane
from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.export import write_submission, write_tusimple
from pupil.data.lanes.points import found
from pupil.data.lanes.tusimple import TuSimple
from pupil.errors import UsageError


def test_drawn_scenes_return_from_disk(tmp_path: Path) -> None:
    drawn = DrawnLanes(6, (64, 96))
    assert write_tusimple(drawn, tmp_path, "val", count=5).name == "label_data_0531.json"
    data = TuSimple(tmp_path, "val", slots=4)
    assert len(data) == 5
    assert (data.frame, data.rows) == (drawn.frame, pytest.approx(drawn.rows))
    kept = 0
    for index in range(5):
        (image, lanes), (written, read) = drawn[index], data[index]
        assert torch.equal(image, written)
        # Below 0 stands for nothing in this form.
        lanes, read = lanes.clamp(min=0).numpy(), read.numpy()
        before, after = lanes[found(lanes).any(axis=1)], read[found(read).any(axis=1)]
        # Order is kept; slots are assigned anew.
        assert np.allclose(before, after, atol=0.006, equal_nan=True)
        kept += np.array_equal(found(lanes), found(read))
    assert kept >= 3


def test_what_is_read_and_written_stays_as_it_was(tmp_path: Path) -> None:
    data = TuSimple(write_tusimple_layout(tmp_path / "first"), "train")
    path = write_tusimple(data, tmp_path / "second", "train")
    lanes = [json.loads(line)["lanes"] for line in path.read_text().splitlines()]
    assert lanes == [[FAR_LEFT, LEFT, RIGHT]] * 3


def test_a_submission_has_the_rows_and_lanes_that_are_asked_for(tmp_path: Path) -> None:
    data = TuSimple(write_tusimple_layout(tmp_path), "val")
    lanes = torch.full((6, 3, 2), torch.nan)
    lanes[..., 1] = torch.tensor([12.0, 16, 28])
    lanes[2, :, 0] = torch.tensor([10.0, 14, 26])
    lanes[3, :2, 0] = torch.tensor([40.0, 44])
    write_submission(tmp_path / "out.json", data, [lanes, torch.full((6, 3, 2), torch.nan)], run_times=[7.5, 8])
    first, second = (json.loads(line) for line in (tmp_path / "out.json").read_text().splitlines())
    assert first == {
        "raw_file": "clips/label_data_0531/0/20.jpg",
        "lanes": [[-2, 10, 14, 18, 22, 26, -2], [-2, 40, 44, -2, -2, -2, -2]],
        "h_samples": [8, 12, 16, 20, 24, 28, 32],
        "run_time": 7.5,
    }
    assert (second["lanes"], second["run_time"]) == ([], 8)


def test_lanes_beyond_the_image_are_not_written(tmp_path: Path) -> None:
    data = CULane(write_culane_layout(tmp_path / "culane"), "val")
    lines(data.images[0].with_suffix(".lines.txt"), ["-9 30 -1 20", "48 30 40 20"])
    written = json.loads(write_tusimple(data, tmp_path / "out", "val").read_text())
    assert len(written["lanes"]) == 1


def test_what_cannot_be_written(tmp_path: Path) -> None:
    data = TuSimple(write_tusimple_layout(tmp_path), "val")
    with pytest.raises(UsageError, match="expected a prediction and a time for each of 2 images, got 1 and 1"):
        write_submission(tmp_path / "out.json", data, [torch.zeros(6, 7, 2)])
    with pytest.raises(UsageError, match="expected train, val or test of TuSimple, got 'all'"):
        write_tusimple(data, tmp_path, "all")
    with pytest.raises(UsageError, match="expected lanes as points, got BDD100K, whose lanes are masks"):
        write_tusimple(BDD100K(write_bdd100k_layout(tmp_path), "val"), tmp_path, "val")
