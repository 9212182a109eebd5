"""KITTI's labels: three classes to train on, everything to score on, and a split that never moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.detection.box_layouts import write_kitti_layout
from data.layouts import lines
from pupil.data.detection.kitti import CLASSES, TYPES, KITTIBoxes, read_labels
from pupil.errors import UsageError
from pupil.metrics import KITTIDetections, KITTIObjects, kitti_scores
from pupil.metrics import kitti as metric


def test_classes_and_types_are_those_of_the_metric() -> None:
    assert metric.TYPES == TYPES
    assert tuple(metric.RULES) == CLASSES


def test_training_has_three_classes_and_validation_everything(tmp_path: Path) -> None:
    write_kitti_layout(tmp_path)
    target = KITTIBoxes(tmp_path, "train")[0][1]
    assert target["labels"].tolist() == [1, 2]
    assert target["boxes"].tolist() == [[1, 2, 21, 12], [5.5, 20, 9.5, 39]]
    assert (target["truncation"].tolist(), target["occlusion"].tolist()) == ([0.25, 0], [1, 0])
    target = KITTIBoxes(tmp_path / "training", "val")[0][1]
    assert target["labels"].tolist() == [1, 0, 2, 0]
    assert [TYPES[number] for number in target["type"]] == ["Car", "Van", "Pedestrian", "DontCare"]
    only = KITTIBoxes(tmp_path, "train", classes=["Van"])
    assert (only.classes, only[0][1]["labels"].tolist()) == (("Van",), [1])


def test_targets_are_what_the_metric_asks_for(tmp_path: Path) -> None:
    val = KITTIBoxes(write_kitti_layout(tmp_path), "val")
    targets = [val[index][1] for index in range(len(val))]
    objects = [
        KITTIObjects([TYPES[number] for number in each["type"]], each["boxes"], each["truncation"], each["occlusion"])
        for each in targets
    ]
    found = [KITTIDetections(objects[0].types, each["boxes"], [0.5] * 4) for each in targets]
    # Everything is lower than 25 pixels, so nothing counts.
    assert kitti_scores(found, objects).objects.sum() == 0
    low = {"all": metric.KITTILevel(0, 3, 1)}
    assert kitti_scores(found, objects, levels=low).objects.tolist() == [[len(val)], [len(val)], [0]]


def test_the_random_split_is_eight_to_two_and_stays(tmp_path: Path) -> None:
    write_kitti_layout(tmp_path)
    train, val = KITTIBoxes(tmp_path, "train"), KITTIBoxes(tmp_path, "val")
    assert (len(train), len(val)) == (8, 2)
    assert {*train.names} | {*val.names} == {f"{index:06}" for index in range(10)}
    assert KITTIBoxes(tmp_path, "val", seed=9).names == val.names
    assert KITTIBoxes(tmp_path, "val", split_seed=1).names != val.names
    assert {*KITTIBoxes(tmp_path, "train", labels=3, seed=4).names} < {*train.names}


@pytest.mark.parametrize("place", [".", "ImageSets", "training"])
def test_lists_come_before_chance(tmp_path: Path, place: str) -> None:
    write_kitti_layout(tmp_path)
    lines(tmp_path / place / "train.txt", ["000003", "000001"])
    assert KITTIBoxes(tmp_path, "train").names == ["000003", "000001"]
    # A random choice of the others could hold the same images.
    with pytest.raises(UsageError, match=r"expected a list of images at .*val\.txt"):
        KITTIBoxes(tmp_path, "val")
    with pytest.raises(UsageError, match=r"expected a list of images at .*holdout\.txt"):
        KITTIBoxes(tmp_path, "holdout")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Car 0 0 0 1 2 3", r"expected a type and 14 numbers in .*000000\.txt, line 2, got 'Car 0 0 0 1 2 3'"),
        ("Car 0 0 0 a 2 3 4 1 1 1 1 1 1 1", "line 2"),
        ("Car 0 nan 0 1 2 3 4 1 1 1 1 1 1 1", "line 2"),
        ("Car", "line 2, got 'Car'"),
        ("Cra 0 0 0 1 2 3 4 1 1 1 1 1 1 1", r"000000\.txt, line 2: unknown type 'Cra': did you mean Car"),
    ],
)
def test_lines_that_are_broken(tmp_path: Path, line: str, said: str) -> None:
    path = lines(tmp_path / "000000.txt", ["Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1 0.5", line])
    with pytest.raises(UsageError, match=said):
        read_labels(path)


def test_what_is_missing(tmp_path: Path) -> None:
    write_kitti_layout(tmp_path, count=1)
    with pytest.raises(UsageError, match=r"expected at least 2 label files in .*, got 1"):
        KITTIBoxes(tmp_path, "train")
    lines(tmp_path / "train.txt", ["000000", "000007"])
    with pytest.raises(UsageError, match=r"got none for 1 of 2, first .*000007\.png: unpack"):
        KITTIBoxes(tmp_path, "train")
    with pytest.raises(UsageError, match="expected training/image_2 and training/label_2 in"):
        KITTIBoxes(tmp_path / "nowhere", "train")
    with pytest.raises(UsageError, match="unknown type of KITTI 'DontCare'"):
        KITTIBoxes(tmp_path, "train", classes=["Car", "DontCare"])
    with pytest.raises(UsageError, match=r"expected labels at .*, got no such file"):
        read_labels(tmp_path / "none.txt")
