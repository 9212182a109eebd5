"""YOLO's label files in both arrangements of folders, with names from `data.yaml` or `classes.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.detection.box_layouts import SIZE, write_yolo_layout
from data.layouts import lines, picture
from data.miniature import save
from pupil.data.detection.yolo import YOLOBoxes, label_file, read_rows
from pupil.errors import UsageError


@pytest.mark.parametrize("nested", [False, True])
def test_shares_become_pixels(tmp_path: Path, nested: bool) -> None:
    train = YOLOBoxes(write_yolo_layout(tmp_path, nested=nested), "train")
    assert (train.classes, len(train), len(YOLOBoxes(tmp_path, "val"))) == (("person", "car"), 3, 2)
    target = train[0][1]
    assert target["labels"].tolist() == [2, 1]
    assert target["boxes"].tolist() == [[15, 10, 45, 30], [3, 8, 9, 12]]
    assert target["area"].tolist() == [600, 24]
    # An image without a label file shows nothing.
    assert train.boxes_of(2) == 0


@pytest.mark.parametrize("place", ["classes.txt", "labels/classes.txt"])
def test_names_without_settings(tmp_path: Path, place: str) -> None:
    write_yolo_layout(tmp_path)
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(UsageError, match=r"got neither names: in data\.yaml nor classes\.txt"):
        YOLOBoxes(tmp_path, "train")
    lines(tmp_path / place, ["person", "", "car"])
    assert YOLOBoxes(tmp_path, "train").classes == ("person", "car")
    assert YOLOBoxes(tmp_path, "train", classes=["a", "b", "c"]).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    "settings",
    [
        ["path: .", "train: images/train", "names: [person, car]"],
        ["path: /nowhere/else", "train: images/train", "names: [person, car]"],
        ["train: [images/train]", "names: [person, car]"],
        ["train: ../images/train", "names: [person, car]"],
        ["train: train.txt", "names: [person, car]"],
    ],
)
def test_where_settings_say_that_images_are(tmp_path: Path, settings: list[str]) -> None:
    write_yolo_layout(tmp_path)
    lines(tmp_path / "data.yaml", settings)
    lines(tmp_path / "train.txt", [f"./images/train/{index}.jpg" for index in range(3)])
    assert YOLOBoxes(tmp_path, "train").names == ["0", "1", "2"]


def test_outlines_give_boxes(tmp_path: Path) -> None:
    path = lines(tmp_path / "one.txt", ["0 0.1 0.2 0.5 0.1 0.3 0.6 0.2 0.3", "", "1 0.5 0.5 1 1"])
    assert read_rows(path, 2) == [(0, 0.1, 0.1, 0.5, 0.6), (1, 0, 0, 1, 1)]
    assert label_file(Path("images/a/images/b/c.d.png")) == Path("images/a/labels/b/c.d.txt")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.1 0.2 0.3", r"expected `class x y width height` in .*one\.txt, line 2, got '0 0\.1 0\.2 0\.3'"),
        ("0 0.1 0.2 0.3 0.4 0.9", "line 2"),
        ("car 0.1 0.2 0.3 0.4", "line 2"),
        (
            "2 0.1 0.2 0.3 0.4",
            r"a class from 0 to 1 in .*one\.txt, line 2, got 2: name all the classes in data\.yaml or ",
        ),
        ("0.5 0.1 0.2 0.3 0.4", r"got 0\.5"),
        ("0 320 240 100 100", r"shares of the image's size, from 0 to 1, in .*line 2, got '0 320 240 100 100'"),
        ("0 nan 0.2 0.3 0.4", r"line 2, got '0 nan 0\.2 0\.3 0\.4': mend the line"),
        ("nan 0.1 0.2 0.3 0.4", "mend the line"),
    ],
)
def test_lines_that_are_broken(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_rows(lines(tmp_path / "one.txt", ["0 0.1 0.2 0.3 0.4", line]), 2)


@pytest.mark.parametrize("nested", [False, True])
def test_a_label_file_without_its_image_is_refused(tmp_path: Path, nested: bool) -> None:
    write_yolo_layout(tmp_path, nested=nested)
    labels = tmp_path / ("train/labels" if nested else "labels/train")
    lines(labels / "classes.txt", ["person", "car"])
    assert len(YOLOBoxes(tmp_path, "train")) == 3
    lines(labels / "7.txt", ["0 0.5 0.5 1 1"])
    with pytest.raises(UsageError, match=r"an image for each label file, got none for 1 of 3, first .*7\.txt: unpack"):
        YOLOBoxes(tmp_path, "train")
    # A list may name a part of the images.
    lines(tmp_path / "data.yaml", ["train: list.txt", "names: [person, car]"])
    lines(tmp_path / "list.txt", ["train/images/0.jpg" if nested else "images/train/0.jpg"])
    assert len(YOLOBoxes(tmp_path, "train")) == 1


def test_what_is_missing(tmp_path: Path) -> None:
    lines(tmp_path / "data.yaml", ["names: {0: person, 2: car}"])
    with pytest.raises(UsageError, match="expected names of the classes 0 to 1, got 0, 2"):
        YOLOBoxes(tmp_path, "train")
    lines(tmp_path / "data.yaml", ["names: [person"])
    with pytest.raises(UsageError, match=r"expected YAML in .*data\.yaml, got a broken file \(.* line 2.*\): mend it"):
        YOLOBoxes(tmp_path, "train")
    lines(tmp_path / "data.yaml", ["names: [person]", "train: gone"])
    with pytest.raises(UsageError, match=r"expected images in .*gone, got none"):
        YOLOBoxes(tmp_path, "train")
    lines(tmp_path / "data.yaml", ["person"])
    with pytest.raises(UsageError, match=r"expected names: and train: in .*data\.yaml, got 'person'"):
        YOLOBoxes(tmp_path, "train")
    lines(tmp_path / "data.yaml", ["names: [person]"])
    save(tmp_path / "images" / "train" / "0.jpg", picture(SIZE))
    with pytest.raises(UsageError, match=r"expected labels like .*labels.train.0\.txt, got none for any of 1 images"):
        YOLOBoxes(tmp_path, "train")
