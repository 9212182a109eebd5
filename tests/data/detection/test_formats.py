"""One text names detection data: each layout is found, drawn scenes are drawn, the reader's own code is asked."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torchvision import tv_tensors

from data.detection.box_layouts import (
    voc_object,
    write_coco_layout,
    write_kitti_layout,
    write_voc_layout,
    write_yolo_layout,
)
from data.layouts import lines
from pupil.data.detection import detection_data, detection_validation, formats
from pupil.data.detection.box_images import BoxImages
from pupil.data.detection.boxes import FURTHER
from pupil.data.detection.drawn import DrawnBoxes
from pupil.data.detection.formats import ASKED_FOR, FORMATS, checked_boxes, described, detection_format
from pupil.data.detection.kitti import TYPES
from pupil.data.detection.transforms import detection_transform
from pupil.errors import UsageError

WRITERS: dict[str, Any] = {
    "coco": write_coco_layout,
    "kitti": write_kitti_layout,
    "voc": write_voc_layout,
    "yolo": write_yolo_layout,
}
SAID = {
    "coco": "data: COCO layout, 3 training, 2 validation images, 4 classes (person, car, cat, toothbrush), "
    "few training boxes of 'person' (1), 'car' (1), 'cat' (1), ...",
    "kitti": "data: KITTI layout, 8 training, 2 validation images, 3 classes (Car, Pedestrian, Cyclist)",
    "voc": "data: Pascal VOC layout, 3 training, 2 validation images, 20 classes",
    "yolo": "data: YOLO layout, 3 training, 2 validation images, 2 classes (person, car), "
    "few training boxes of 'person' (2), 'car' (2)",
}
METRICS = {"coco": "coco", "kitti": "kitti", "voc": "voc", "yolo": "coco"}


def test_every_format_was_visited() -> None:
    assert set(WRITERS) == set(SAID) == set(FORMATS) - ASKED_FOR


@pytest.mark.parametrize("name", WRITERS)
def test_each_is_found_read_and_said(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    assert detection_format(str(tmp_path)) == detection_format(str(tmp_path), name) == name
    train, val = detection_data(str(tmp_path))
    assert described(name, train, val) == SAID[name]
    few, _ = detection_data(str(tmp_path), labels=1, seed=1)
    assert len(few) == 1
    for data in (train, val, detection_validation(str(tmp_path), classes=train.classes)):
        image, target = data[0]
        assert target["boxes"].canvas_size == image.shape[1:]
        assert target["labels"].max() <= len(data.classes) == len(data.colours)
        assert data.metric == METRICS[name]
        assert checked_boxes(data) is data


def test_boxes_that_were_left_out_are_said_once(tmp_path: Path) -> None:
    write_voc_layout(tmp_path, {"train_0": [voc_object("car", 9, 9, 3, 3)], "val_0": [voc_object("car", 9, 9, 3, 3)]})
    pair = detection_data(str(tmp_path))
    assert described("voc", *pair).endswith(
        ", 20 classes, few training boxes of 'car' (2), 2 boxes without area left out, the first in "
        f"{tmp_path}/Annotations/train_0.xml"
    )
    with pytest.raises(UsageError, match=r"train_0\.xml"):
        detection_data(str(tmp_path), strict=True)
    write_voc_layout(tmp_path, {"val_1": [voc_object("car", 9, 9, 70, 20), voc_object("car", 9, 9, 3, 3)]})
    said = described("voc", *detection_data(str(tmp_path)))
    assert said.endswith(f"1 box cut to its image, 1 box without area left out in {tmp_path}/Annotations/val_1.xml")
    write_voc_layout(tmp_path, {"val_1": [voc_object("car", 90, 9, 99, 20), voc_object("car", 9, 9, 3, 3)]})
    said = described("voc", *detection_data(str(tmp_path)))
    assert said.endswith(
        f"1 box without area and 1 box outside left out, the first in {tmp_path}/Annotations/val_1.xml"
    )


def test_a_class_that_is_a_slip_of_the_pen_is_seen(tmp_path: Path) -> None:
    cells = {name: [voc_object("RBC", 1, 1, 9, 9)] * 3 for name in ("train_0", "train_1", "val_0", "val_1")}
    slip = {"train_2": [voc_object("Rbc:", 1, 1, 9, 9)], "test_0": [voc_object("RBC", 1, 1, 9, 9)]}
    said = described("voc", *detection_data(str(write_voc_layout(tmp_path, cells | slip))))
    assert said.endswith("2 classes (RBC, Rbc:), few training boxes of 'Rbc:' (1)")


@pytest.mark.parametrize(("name", "folder"), [("yolo", "images/train"), ("kitti", "training/image_2")])
def test_images_without_a_header_are_left_out_where_that_is_asked_for(tmp_path: Path, name: str, folder: str) -> None:
    WRITERS[name](tmp_path)
    whole, _ = detection_data(str(tmp_path))
    assert isinstance(whole, BoxImages)
    broken = whole.images[0]
    assert broken.parent == tmp_path / folder
    broken.write_bytes(b"no image")
    advice = r"cannot read .*: the file is corrupt or no image: mend or remove it, or pass --skip-bad-images$"
    with pytest.raises(UsageError, match=advice):
        detection_data(str(tmp_path))
    train, val = detection_data(str(tmp_path), skip=True)
    assert f", 1 image that cannot be read left out: {broken}" in described(name, train, val)
    assert len(train) == len(whole) - 1
    for ours, theirs in zip(train, list(range(1, len(whole))), strict=True):  # type: ignore[call-overload]
        image, target = whole[theirs]
        assert torch.equal(ours[0], image)
        assert torch.equal(ours[1]["boxes"], target["boxes"])
    for path in whole.images:
        path.write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"cannot read .*: mend or remove it$"):
        detection_data(str(tmp_path), skip=True)


def test_scores_of_training_images_know_what_is_not_to_be_trained_on(tmp_path: Path) -> None:
    WRITERS["kitti"](tmp_path)
    train, _ = detection_data(str(tmp_path))
    assert (train[0][1]["labels"] > 0).all()
    again = detection_validation(str(tmp_path), split="train")
    assert len(again) == len(train)
    # The van, and what is not to be cared about.
    assert [TYPES[number] for number in again[0][1]["type"].tolist()] == ["Car", "Van", "Pedestrian", "DontCare"]
    for name in ("coco", "voc", "yolo"):
        WRITERS[name](tmp_path / name)
        assert len(detection_validation(str(tmp_path / name), split="train"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "coco",
            r"annotations/instances_tset2017\.json .*, tset\.json .*instances_val2017\.json: name the file",
        ),
        ("kitti", "got no such file: choose train or val"),
        ("voc", "got lists of test, train, val alone: choose one of these splits, or write that list"),
        ("yolo", r"got none \(splits: train, val\): .* or choose another split"),
    ],
)
def test_a_split_that_is_none_names_those_that_are(tmp_path: Path, name: str, said: str) -> None:
    WRITERS[name](tmp_path)
    if name == "voc":
        lines(tmp_path / "ImageSets/Main/car_train.txt", ["train_0 1"])
    with pytest.raises(UsageError, match=said):
        detection_validation(str(tmp_path), split="tset")
    if name == "kitti":
        lines(tmp_path / "ImageSets" / "train.txt", ["000000"])
        with pytest.raises(UsageError, match="got lists of train alone: choose"):
            detection_validation(str(tmp_path), split="tset")


def test_drawn_scenes_under_both_names() -> None:
    train, val = detection_data("drawn", scenes=(6, 3), scene_size=(48, 64), labels=5)
    assert isinstance(train, DrawnBoxes)
    assert (len(train), len(val), train[0][0].shape) == (5, 3, (3, 48, 64))
    assert detection_data("scenes", scenes=(6, 3), scene_size=(48, 64), labels=5)[0] is train
    assert len(detection_validation("drawn", classes=train.classes)) == 200
    with pytest.raises(UsageError, match="expected the classes a, b in 'drawn', got car, person, sign"):
        detection_validation("drawn", classes=["a", "b"])


def test_two_layouts_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"instances_train2017\.json and train2017, .* \(coco\); .*got an empty folder: "
    ):
        detection_format(str(tmp_path))
    write_kitti_layout(tmp_path)
    write_voc_layout(tmp_path)
    with pytest.raises(UsageError, match="got those of kitti, voc: choose one with --format"):
        detection_format(str(tmp_path))
    with pytest.raises(UsageError, match="unknown format 'kity': did you mean kitti"):
        detection_data(str(tmp_path), format="kity")
    with pytest.raises(UsageError, match="expected --format with a data folder alone, got --data drawn"):
        detection_data("drawn", format="voc")
    with pytest.raises(UsageError, match="got nothing there"):
        detection_data("nowhere")


def test_traffic_has_to_be_asked_for(tmp_path: Path) -> None:
    write_coco_layout(tmp_path)
    assert detection_format(str(tmp_path)) == "coco"
    assert detection_format(str(tmp_path), "coco-traffic") == "coco-traffic"


def test_code_of_the_readers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = DrawnBoxes(4), DrawnBoxes(2, split="val")
    module = ModuleType("own_boxes")
    module.both, module.other = lambda: pair, lambda: (pair[0], Items())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_boxes", module)
    assert detection_data("own_boxes:both") == pair
    assert detection_validation("own_boxes:both") is pair[1]
    with pytest.raises(UsageError, match="expected --labels with a data folder or drawn scenes"):
        detection_data("own_boxes:both", labels=2)
    with pytest.raises(
        UsageError, match="expected the classes car, person, sign in 'own_boxes:other', got car, person"
    ):
        detection_data("own_boxes:other")


class Items(SimpleNamespace):
    """Data of the reader's own with one item, an image (3, 20, 30) and what it is given."""

    classes: Any = ("car", "person")
    boxes: Any = ((1.0, 2.0, 11.0, 12.0),)
    labels: Any = (2,)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        further = {name: value for name, value in vars(self).items() if name in FURTHER}
        return torch.zeros(3, 20, 30), {"boxes": self.boxes, "labels": self.labels, "note": "mine", **further}


def test_targets_of_the_readers_own() -> None:
    data = checked_boxes(Items())
    assert (data.metric, len(data.colours), data.names[0]) == ("coco", 2, "item 0 of Items")  # type: ignore[attr-defined]
    target = data[0][1]
    assert (target["boxes"].tolist(), target["boxes"].dtype) == ([[1, 2, 11, 12]], torch.float32)
    assert (target["boxes"].canvas_size, target["labels"].tolist(), target["note"]) == ((20, 30), [2], "mine")
    sized = tv_tensors.BoundingBoxes([[1, 2, 10, 10]], format="XYWH", canvas_size=(20, 30))
    assert checked_boxes(Items(boxes=sized))[0][1]["boxes"].tolist() == [[1, 2, 11, 12]]
    beyond = checked_boxes(Items(boxes=[[-4, -4, 40, 12]]))
    assert beyond[0][1]["boxes"].tolist() == [[0, 0, 30, 12]]
    for labels in (torch.zeros(0, dtype=torch.int64), []):
        nothing = checked_boxes(Items(boxes=[], labels=labels, iscrowd=[]))[0][1]
        assert (nothing["boxes"].shape, nothing["labels"].dtype) == ((0, 4), torch.int64)
    crowd = checked_boxes(Items(iscrowd=[1], area=[81.5]))
    image, target = crowd[0]
    assert (target["iscrowd"].tolist(), target["area"].tolist()) == ([1], [81.5])
    assert detection_transform()(image, target)[1]["boxes"].shape == (0, 4)
    own = checked_boxes(Items(metric="voc", colours=((1, 1, 1), (2, 2, 2))))
    assert (own.metric, own.colours[1]) == ("voc", (2, 2, 2))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"boxes": [[1, 2, 1, 4]]}, r"area inside the 30x20 image in item 0 of Items, got \[1\.0, 2\.0, 1\.0, 4\.0\]"),
        ({"boxes": [[1, 2, 9, float("nan")]]}, "with an area"),
        ({"boxes": [[31, 2, 39, 9]]}, "with an area"),
        ({"boxes": [[1, 2, 9, 9]] * 2}, r"expected boxes \(M, 4\) and as many .*, got \(2, 4\) and \(1,\) int64"),
        ({"boxes": [1.0, 2, 3, 4]}, r"got \(4,\)"),
        ({"labels": [1.0]}, "float32"),
        ({"labels": [3]}, "expected labels from 1 to 2, or 0 for what has no class, in item 0 of Items, got 3: count"),
        ({"labels": [-1]}, "got -1"),
        ({"boxes": [], "labels": [1]}, r"got \(0,\) and \(1,\) int64"),
        (
            {"boxes": [[1, 2, 9, 9]] * 2, "labels": [1, 2], "iscrowd": [1]},
            r"expected iscrowd of 2 boxes, .* got \(1,\): ",
        ),
        ({"area": [[80.0]]}, r"expected area of 1 boxes, one number each, in item 0 of Items, got \(1, 1\)"),
    ],
)
def test_items_of_the_readers_own_that_are_wrong(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked_boxes(Items(**changed))[0]


def test_what_a_data_set_of_the_readers_own_lacks() -> None:
    with pytest.raises(UsageError, match=r'expected \.classes without "background", got it as the first'):
        checked_boxes(Items(classes=("background", "car")))
    with pytest.raises(UsageError, match="unknown metric 'coca': did you mean coco"):
        checked_boxes(Items(metric="coca"))
    with pytest.raises(UsageError, match=r"expected your data sets to have \.classes"):
        checked_boxes(Items(classes=None))

    class Pairs(Items):
        def __getitem__(self, index: int) -> Any:
            return torch.zeros(3, 4, 4), self.target

    for target, got in (({"boxes": []}, "boxes"), ([1], "list")):
        with pytest.raises(UsageError, match=f'a dict with "boxes" and "labels" as the target of item 0 .*, got {got}'):
            checked_boxes(Pairs(target=target))[0]


def test_torchvision_waits_until_an_item_is_read() -> None:
    for path in Path(formats.__file__).parent.glob("*.py"):
        at_import = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any("torchvision" in ast.unparse(node) for node in at_import)
