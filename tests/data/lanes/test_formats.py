"""One text names lane data: each layout is found, drawn scenes are drawn, the reader's own code is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data.lanes.lane_layouts import write_bdd100k_layout, write_culane_layout, write_tusimple_layout
from pupil.data.lanes import lanes_data, lanes_validation
from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.formats import FORMATS, checked_lanes, described, lanes_format
from pupil.errors import UsageError

WRITERS: dict[str, Any] = {
    "tusimple": write_tusimple_layout,
    "culane": write_culane_layout,
    "bdd100k": write_bdd100k_layout,
}
SAID = {
    "tusimple": "data: TuSimple layout, 3 training, 2 validation images, 6 lanes",
    "culane": "data: CULane layout, 2 training, 1 validation images, 4 lanes",
    "bdd100k": "data: BDD100K lanes layout, 3 training, 2 validation images, masks of lanes",
}


def test_every_format_was_visited() -> None:
    assert set(WRITERS) == set(SAID) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_found_read_and_said(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    assert lanes_format(str(tmp_path)) == name
    assert lanes_format(str(tmp_path), name) == name
    train, val = lanes_data(str(tmp_path))
    assert described(name, train, val) == SAID[name]
    few, _ = lanes_data(str(tmp_path), labels=1, seed=1)
    assert len(few) == 1
    for data in (train, val, lanes_validation(str(tmp_path)), lanes_validation(str(tmp_path), split="test")):
        image, target = data[len(data) - 1]
        lanes = len(data.classes) - 1
        assert target.shape[0] == lanes if data.rows else target.shape == image.shape[1:]
        assert data.metric == name
        assert checked_lanes(data) is data


def test_drawn_scenes_under_both_names() -> None:
    train, val = lanes_data("drawn", scenes=(6, 3), scene_size=(48, 64), labels=5)
    assert isinstance(train, DrawnLanes)
    assert (len(train), len(val), train.frame) == (5, 3, (48, 64))
    assert lanes_data("scenes", scenes=(6, 3), scene_size=(48, 64), labels=5)[0] is train
    assert len(lanes_validation("drawn")) == 200


def test_two_layouts_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"label_data_0313\.json.* \(tusimple\); .*\(culane\); .*got an empty folder"):
        lanes_format(str(tmp_path))
    write_tusimple_layout(tmp_path)
    write_culane_layout(tmp_path)
    with pytest.raises(UsageError, match=r"expected one layout in .*, got those of tusimple, culane: choose one with"):
        lanes_format(str(tmp_path))
    assert lanes_format(str(tmp_path), "culane") == "culane"
    with pytest.raises(UsageError, match=r"expected a list of images at .*train_gt_bdd\.txt|expected an image and"):
        lanes_data(str(tmp_path / "clips"), format="bdd100k")
    with pytest.raises(UsageError, match="expected a folder of data at nowhere, got nothing there"):
        lanes_data("nowhere")
    with pytest.raises(UsageError, match="unknown format 'tusimpel': did you mean tusimple"):
        lanes_data(str(tmp_path), format="tusimpel")
    with pytest.raises(UsageError, match="expected --format with a data folder alone, got --data drawn"):
        lanes_data("drawn", format="culane")


def test_code_of_the_readers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = DrawnLanes(4), DrawnLanes(2, split="val")
    module = ModuleType("own_lanes")
    module.both, module.one = lambda: pair, lambda: pair[0]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_lanes", module)
    assert lanes_data("own_lanes:both") == pair
    assert lanes_validation("own_lanes:both") is pair[1]
    with pytest.raises(UsageError, match=r"expected 'own_lanes:one' to return two data sets \(train, val\), got Drawn"):
        lanes_data("own_lanes:one")
    with pytest.raises(UsageError, match="expected --labels with a data folder or drawn scenes, got --data own_lanes"):
        lanes_data("own_lanes:both", labels=2)


class Own(SimpleNamespace):
    def __len__(self) -> int:
        return self.count


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rows": None}, r"expected your data sets to have \.rows, got none: set it on Own"),
        ({"frame": None}, r"expected your data sets to have \.frame"),
        ({"metric": "cullane"}, "unknown metric 'cullane': did you mean culane"),
        ({"count": 0}, "expected at least one image in your data sets, got an empty Own"),
        ({"classes": ["lane 1", "lane 2"]}, r'expected "background" as the first of \.classes, got lane 1, lane 2'),
    ],
)
def test_what_a_data_set_of_the_readers_own_lacks(changed: dict[str, Any], said: str) -> None:
    whole = {"classes": ["background", "lane 1"], "rows": [0.5, 0.6], "metric": "culane", "frame": (9, 9), "count": 1}
    assert checked_lanes(Own(**whole))
    with pytest.raises(UsageError, match=said):
        checked_lanes(Own(**{**whole, **changed}))


class Items(Own):
    """Data of the reader's own with one item, an image (3, 8, 12) and what it is given."""

    classes, rows, metric, frame, count = ("background", "lane 1", "lane 2"), (0.5, 0.6), "culane", (8, 12), 1

    def __getitem__(self, index: int) -> Any:
        return torch.zeros(3, 8, 12), self.target


def test_what_the_readers_own_need_not_say_has_defaults() -> None:
    data = checked_lanes(Items())
    assert (len(data.colours), data.ignore_index, data.names[0]) == (3, 255, "item 0 of Items")  # type: ignore[attr-defined]
    assert checked_lanes(data) is data
    own = checked_lanes(Items(colours=((0, 0, 0), (1, 1, 1), (2, 2, 2)), ignore_index=9))
    assert (own.colours[1], own.ignore_index) == ((1, 1, 1), 9)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            torch.zeros(3, 5, 2),
            r"expected lanes \(2, P, 2\) as floats or a mask of ids \(8, 12\) in item 0 of Items",
        ),
        (torch.zeros(2, 5, 2).long(), "as floats"),
        (torch.zeros(2, 5), "give every slot of .classes its points"),
        ([[1.0, 2.0]], "got list"),
        (
            torch.full((8, 12), 3),
            r"expected label ids from 0 to 2 or the ignored 255 in item 0 of Items, got 3: name all",
        ),
        (torch.zeros(8, 11).long(), r"got \(8, 11\)"),
    ],
)
def test_lanes_of_other_slots_and_ids_are_refused_when_read(target: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked_lanes(Items(target=target))[0]


def test_points_and_masks_of_the_readers_own_pass() -> None:
    points = torch.full((2, 5, 2), torch.nan)
    assert checked_lanes(Items(target=points))[0][1] is points
    mask = np.full((8, 12), 255, np.uint8)
    assert checked_lanes(Items(target=mask))[0][1].dtype == torch.int64
