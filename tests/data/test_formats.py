"""The layout of a folder is found and said; what fits none or several is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data.layouts import write_ade20k, write_augmented, write_camvid, write_cityscapes, write_voc
from data.miniature import write_split
from data.test_painted import write as write_painted
from pupil.data.formats import FORMATS, described, find_format, open_format
from pupil.data.segmentation import data_format, segmentation_data, validation_data
from pupil.errors import UsageError


def write_folder(root: Path) -> None:
    for split in ("train", "val"):
        write_split(root, split)


WRITERS: dict[str, Any] = {
    "folder": write_folder,
    "painted": write_painted,
    "voc": write_voc,
    "voc-sbd": lambda root: write_augmented(write_voc(root)),
    "cityscapes": write_cityscapes,
    "ade20k": write_ade20k,
    "camvid": write_camvid,
}
SAID = {
    "folder": "data: folder layout, 4 training, 4 validation images, 3 classes, id 255 ignored",
    "painted": "data: painted folder layout, 1 training, 1 validation images, 2 classes, id 2 ignored",
    "voc": "data: Pascal VOC layout, 3 training, 2 validation images, 21 classes, id 255 ignored",
    "voc-sbd": "data: Pascal VOC with SBD layout, 5 training, 2 validation images, 21 classes, id 255 ignored",
    "cityscapes": "data: Cityscapes layout, 4 training, 2 validation images, 19 classes, id 255 ignored",
    "ade20k": "data: ADE20K layout, 3 training, 2 validation images, 150 classes, id 255 ignored",
    "camvid": "data: CamVid layout, 3 training, 2 validation images, 11 classes, id 11 ignored",
}


def test_every_format_was_visited() -> None:
    assert set(WRITERS) == set(SAID) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_found_read_and_said(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    assert find_format(tmp_path) == ("voc" if name == "voc-sbd" else name)
    assert find_format(tmp_path, name) == name
    train, val = segmentation_data(str(tmp_path), format=name)
    assert described(tmp_path, name, train, val) == SAID[name]
    for data in (train, val):
        for image, mask in (data[index] for index in range(len(data))):
            assert image.shape[1:] == mask.shape
    again = validation_data(str(tmp_path), classes=train.classes, ignore_index=train.ignore_index, format=name)
    assert len(again) == len(val)


@pytest.mark.parametrize("name", FORMATS)
def test_few_labels_in_every_format(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    whole, _ = segmentation_data(str(tmp_path), format=name)
    few, val = segmentation_data(str(tmp_path), format=name, labels=1, seed=3)
    assert len(few) == 1
    assert len(few.left_out) == len(whole) - 1  # type: ignore[attr-defined]
    assert len(val) > 0


def test_more_labels_are_mentioned_where_they_are(tmp_path: Path) -> None:
    WRITERS["voc-sbd"](tmp_path)
    said = described(tmp_path, "voc", *segmentation_data(str(tmp_path)))
    assert said == f"{SAID['voc']}, SBD's labels with --format voc-sbd"


def test_no_layout_and_two_are_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError) as caught:
        find_format(tmp_path)
    text = str(caught.value)
    assert text.startswith(f"expected one of these in {tmp_path}: train/images and train/masks (folder); ")
    assert "leftImg8bit and gtFine (cityscapes)" in text
    assert "; got photos: name the folder that has them" in text
    write_cityscapes(tmp_path)
    write_voc(tmp_path)
    with pytest.raises(
        UsageError, match=r"expected one layout in .*, got those of voc, cityscapes: choose one with --f"
    ):
        find_format(tmp_path)
    assert find_format(tmp_path, "voc") == "voc"


def test_a_folder_that_lacks_something_is_told_what(tmp_path: Path) -> None:
    write_split(tmp_path, "train")
    (tmp_path / "train" / "masks").rename(tmp_path / "train" / "labels")
    with pytest.raises(UsageError, match=r"expected a folder 'masks' in .*train, got images, labels"):
        segmentation_data(str(tmp_path))


def test_a_name_that_is_none_and_a_place_that_has_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'cityscape': did you mean cityscapes"):
        open_format("cityscape")
    with pytest.raises(UsageError, match=r"unknown format 'vco'"):
        find_format(tmp_path, "vco")
    for spec in ("drawn", "my:code"):
        assert data_format(spec) is None
        with pytest.raises(UsageError, match=f"expected --format with a data folder alone, got --data {spec}"):
            data_format(spec, "voc")
    with pytest.raises(UsageError, match=r"expected --classes with --format folder alone, got --format voc: leave it"):
        segmentation_data(str(write_voc(tmp_path)), classes=["a", "b"])
