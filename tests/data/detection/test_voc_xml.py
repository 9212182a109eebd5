"""Pascal VOC's boxes count from 1; the names may be anybody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.detection.box_layouts import voc_object, write_voc_layout
from data.layouts import lines
from pupil.data.detection.voc_xml import CLASSES, VOCBoxes, read_objects
from pupil.errors import UsageError

BCCD = Path(__file__).parents[4] / "shared" / "data" / "bccd"


def test_pixels_are_counted_from_one_and_the_last_are_inside(tmp_path: Path) -> None:
    train = VOCBoxes(write_voc_layout(tmp_path), "train")
    assert train.classes == CLASSES
    target = train[0][1]
    assert target["boxes"].tolist() == [[0, 0, 20, 10]]
    assert [train.classes[label - 1] for label in target["labels"]] == ["car"]
    assert (target["difficult"].tolist(), target["area"].tolist()) == ([0], [200])


def test_difficult_objects_are_there_to_be_scored_on(tmp_path: Path) -> None:
    val = VOCBoxes(write_voc_layout(tmp_path), "val")
    assert val[1][1]["difficult"].tolist() == [0, 1]
    assert len(VOCBoxes(tmp_path, "train", ignored=True)[0][1]["labels"]) == 2
    assert len(VOCBoxes(tmp_path, "val", ignored=False)[0][1]["labels"]) == 1
    assert len(VOCBoxes(tmp_path, "test")) == 1


def test_fractions_and_a_missing_flag(tmp_path: Path) -> None:
    named = [voc_object("cell", "1.5", "2.25", " 20 ", "10.0", difficult=None), voc_object("blob", 0, 0, 9, 9)]
    write_voc_layout(tmp_path, {"train_0": named})
    train = VOCBoxes(tmp_path, "train")
    assert train.classes == ("blob", "car", "cell", "person")
    assert train[0][1]["boxes"].tolist() == [[0.5, 1.25, 20, 10], [0, 0, 9, 9]]
    assert VOCBoxes(tmp_path, "val").classes[:2] == ("aeroplane", "bicycle")
    assert VOCBoxes(tmp_path, "val", classes=train.classes)[0][1]["labels"].tolist() == [2, 4]


def test_the_folder_above_and_an_image_without_objects(tmp_path: Path) -> None:
    write_voc_layout(tmp_path / "VOCdevkit" / "VOC2007", {"train_1": []})
    assert VOCBoxes.fits(tmp_path)
    assert not VOCBoxes.fits(tmp_path / "VOCdevkit" / "VOC2007" / "Annotations")
    boxes = VOCBoxes(tmp_path, "train")[1][1]["boxes"]
    assert boxes.shape == (0, 4)


def test_boxes_without_area(tmp_path: Path) -> None:
    write_voc_layout(tmp_path, {"train_1": [voc_object("car", 9, 9, 3, 12), voc_object("car", 0, 0, 70, 10)]})
    train = VOCBoxes(tmp_path, "train")
    assert (train.mended.without_area, train[1][1]["boxes"].tolist()) == (1, [[0, 0, 60, 10]])
    with pytest.raises(UsageError, match=r"train_1\.xml, got \[8\.0, 8\.0, 3\.0, 12\.0\] as box 1"):
        VOCBoxes(tmp_path, "train", strict=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "<annotation><object></annotation>",
            r"train_1\.xml, got a broken file \(mismatched tag: line 1, column 22\): mend",
        ),
        ('<?xml version="1.0" encoding="none"?><a/>', r"train_1\.xml, got a broken file \(unknown encoding"),
        ("", r"train_1\.xml, got a broken file \(no element found"),
        (
            f"<a>{voc_object('car', 1, 1, 2, 2)}<object><name>car</name></object></a>",
            r"train_1\.xml, object 2, got car",
        ),
        (f"<a>{voc_object('car', 1, 1, 'x', 2)}</a>", r"object 1, got car with \['1', '1', 'x', '2'\]"),
        (f"<a>{voc_object('', 1, 1, 2, 2)}</a>", "got no name"),
    ],
)
def test_files_that_are_broken(tmp_path: Path, text: str, said: str) -> None:
    write_voc_layout(tmp_path)
    (tmp_path / "Annotations" / "train_1.xml").write_text(text)
    with pytest.raises(UsageError, match=said):
        VOCBoxes(tmp_path, "train")


def test_files_that_are_missing(tmp_path: Path) -> None:
    write_voc_layout(tmp_path)
    with pytest.raises(UsageError, match=r"train_0\.xml: unknown class 'car': expected one of van"):
        VOCBoxes(tmp_path, "train", classes=["van"])
    with pytest.raises(UsageError, match=r"expected a list of images at .*Main.trainval\.txt"):
        VOCBoxes(tmp_path, "trainval")
    (tmp_path / "JPEGImages" / "train_2.jpg").unlink()
    with pytest.raises(UsageError, match=r"got none for 1 of 3, first .*train_2\.jpg: unpack"):
        VOCBoxes(tmp_path, "train")
    lines(tmp_path / "ImageSets" / "Main" / "val.txt", ["gone"])
    with pytest.raises(UsageError, match=r"expected an annotation at .*gone\.xml"):
        VOCBoxes(tmp_path, "val")
    with pytest.raises(UsageError, match=r"expected JPEGImages, Annotations and ImageSets/Main in .*, got no such"):
        VOCBoxes(tmp_path / "JPEGImages", "val")


@pytest.mark.skipif(not BCCD.is_dir(), reason="the blood cells are not here")
def test_blood_cells() -> None:
    splits = {split: VOCBoxes(BCCD, split) for split in ("train", "val", "test")}
    lists = {split: (BCCD / "ImageSets" / "Main" / f"{split}.txt").read_text().split() for split in splits}
    assert {split: len(data) for split, data in splits.items()} == {split: len(names) for split, names in lists.items()}
    assert {data.classes for data in splits.values()} == {("Platelets", "RBC", "WBC")}
    val = splits["val"]
    assert sum(val.boxes_of(index) for index in range(len(val))) + val.mended.without_area == sum(
        len(read_objects(BCCD / "Annotations" / f"{name}.xml")) for name in val.names
    )
    image, target = val[0]
    assert image.shape == (3, 480, 640)
    assert (target["boxes"][:, 2:] > target["boxes"][:, :2]).all()
