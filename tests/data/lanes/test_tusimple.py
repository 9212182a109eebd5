"""TuSimple: the authors' splits, lanes in slots, and every mistake in a label file by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.lanes.lane_layouts import FAR_LEFT, LEFT, RIGHT, ROWS, record, write_tusimple_layout
from data.layouts import lines, picture
from data.miniature import save
from pupil.data.lanes.tusimple import TuSimple, read_records
from pupil.errors import UsageError


@pytest.mark.parametrize("below", ["", "train_set"])
def test_splits_classes_and_rows(tmp_path: Path, below: str) -> None:
    write_tusimple_layout(tmp_path / below)
    assert TuSimple.fits(tmp_path)
    sets = {split: TuSimple(tmp_path, split) for split in ("train", "val", "test")}
    assert {split: len(data) for split, data in sets.items()} == {"train": 3, "val": 2, "test": 1}
    assert {name.split("/")[1] for name in sets["train"].names} == {"label_data_0313", "label_data_0601"}
    train = sets["train"]
    assert train.classes == ("background", *(f"lane {number}" for number in range(1, 7)))
    assert len(train.colours) == 7
    assert (train.metric, train.frame, train.ignore_index) == ("tusimple", (36, 64), 255)
    assert [row * 36 for row in train.rows] == pytest.approx(ROWS)


def test_lanes_take_their_slots_and_keep_their_points(tmp_path: Path) -> None:
    image, lanes = TuSimple(write_tusimple_layout(tmp_path), "train")[0]
    assert image.shape == (3, 36, 64)
    x, y = lanes.numpy()[..., 0], lanes.numpy()[..., 1]
    for slot, lane in {1: FAR_LEFT, 2: LEFT, 3: RIGHT}.items():
        assert np.where(np.isnan(x[slot]), -2, x[slot]).tolist() == lane
    assert np.isnan(x[[0, 4, 5]]).all()
    assert (y == np.array(ROWS)).all()  # the rows were looked at, in empty slots too


def test_shorter_h_samples_are_padded(tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / f"{name}.jpg", picture((36, 64)))
    short = record("a.jpg", [RIGHT[2:]], h_samples=ROWS[2:])
    lines(tmp_path / "label_data_0531.json", [short, "", record("b.jpg")])
    data = TuSimple(tmp_path, "val")
    assert [row * 36 for row in data.rows] == pytest.approx(ROWS)
    lanes = data[0][1].numpy()
    assert lanes.shape == (6, 7, 2)
    assert lanes[3, :5, 0].tolist() == RIGHT[2:]
    assert np.isnan(lanes[:, 5:]).all()


def test_without_lanes_there_are_none(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", picture((36, 64)))
    lines(tmp_path / "label_data_0531.json", [record("a.jpg", [[-2] * 7])])
    lanes = TuSimple(tmp_path, "val")[0][1].numpy()
    assert np.isnan(lanes[..., 0]).all()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", r"expected one JSON object in .*label_data_0531\.json, line 2, got '\{'"),
        ("[1]", r'expected an object with "raw_file", "h_samples" and "lanes" in .*line 2, got \'\[1\]\''),
        ('{"raw_file": "a", "h_samples": [1]}', r'expected lists of numbers as "h_samples" and each of "lanes" in .*2'),
        (record("a.jpg", [["x"] * 7]), r"expected lists of numbers .* line 2"),
        (record("a.jpg", [RIGHT, LEFT[1:]]), r"in each lane as in h_samples, 7, in .*line 2, got 6 in lane 2"),
    ],
)
def test_an_unreadable_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = lines(tmp_path / "label_data_0531.json", [record("a.jpg"), line])
    with pytest.raises(UsageError, match=said):
        read_records(path)
    with pytest.raises(UsageError, match=said):
        TuSimple(tmp_path, "val")


def test_what_else_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a label file of TuSimple at .*label_data_0313\.json, got no such"):
        TuSimple(tmp_path, "train")
    with pytest.raises(UsageError, match="expected train, val or test of TuSimple, got 'all'"):
        TuSimple(tmp_path, "all")
    data = TuSimple(write_tusimple_layout(tmp_path), "val", slots=2)
    with pytest.raises(UsageError, match=r"label_data_0531/0/20\.jpg: expected at most 2 lanes in an image, got 3"):
        data[0]
    # One training file alone will do.
    (tmp_path / "label_data_0601.json").unlink()
    assert len(TuSimple(tmp_path, "train")) == 2
