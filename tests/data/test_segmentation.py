"""Data for segmentation from one text: each kind of source, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data.miniature import write_split
from pupil.data.palette import distinct_colours
from pupil.data.segmentation import CheckedData, checked_data, is_code, segmentation_data, validation_data
from pupil.data.views import Views
from pupil.errors import UsageError

MEANING = {"classes": ("left", "right"), "colours": ((9, 9, 9), (5, 5, 5)), "ignore_index": 255}


class Stripes:
    """Two stripes, as somebody's own data set gives them: an array and a mask of bytes."""

    classes, colours, ignore_index = MEANING.values()

    def __init__(self, count: int = 3, mask: Any = None) -> None:
        self.count = count
        self.mask = np.eye(6, 8, dtype=np.uint8) if mask is None else mask

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return np.full((6, 8, 3), index, np.uint8), self.mask


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A module `stripes` of the reader's own, in the current directory."""
    module = SimpleNamespace(pair=lambda: (Stripes(), Stripes(1)), single=lambda: Stripes())
    monkeypatch.setitem(__import__("sys").modules, "stripes", module)
    monkeypatch.chdir(tmp_path)
    return module


def test_drawn_scenes_are_the_same_for_every_seed() -> None:
    train, val = segmentation_data("drawn", scene_size=(32, 48), scenes=(6, 2), labels=4, seed=7)
    again, _ = segmentation_data("drawn", scene_size=(32, 48), scenes=(6, 2))
    assert (len(train), len(val), len(again)) == (4, 2, 6)
    assert torch.equal(train[1][0], again[1][0])
    assert not torch.equal(train[1][0], val[1][0])
    noisy, exact = segmentation_data("drawn", scene_size=(32, 48), scenes=(6, 2), label_noise=1.0)
    assert not torch.equal(noisy[1][1], again[1][1])
    assert torch.equal(exact[1][1], val[1][1])


def test_a_folder_tells_its_classes_to_both_splits(tmp_path: Path) -> None:
    write_split(tmp_path, "train", count=5, classes=4)
    write_split(tmp_path, "val", count=2, classes=2)
    train, val = segmentation_data(str(tmp_path), labels=3, ignore_index=9)
    assert (len(train), len(val)) == (3, 2)
    assert train.classes == val.classes == ("class 0", "class 1", "class 2", "class 3")
    assert train.ignore_index == val.ignore_index == 9
    named, _ = segmentation_data(str(tmp_path), classes=["a", "b", "c", "d"])
    assert named.classes == ("a", "b", "c", "d")


def test_the_readers_own_code_gives_both(code: SimpleNamespace) -> None:
    train, val = segmentation_data("stripes:pair")
    assert (len(train), len(val)) == (3, 1)
    assert train.classes == ("left", "right")
    image, mask, _ = Views(train)[2, 0]
    assert image.shape == (3, 6, 8)
    assert mask.dtype == torch.int64
    assert is_code("stripes:pair")
    Path("stripes:pair").mkdir()
    assert not is_code("stripes:pair")


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("stripes:single", {}, r"expected 'stripes:single' to return two data sets \(train, val\), got Stripes"),
        ("stripes:pairs", {}, r"unknown function in stripes 'pairs': did you mean pair"),
        ("stripes:pair", {"labels": 2}, r"expected --labels with a data folder alone, got --data stripes:pair"),
        ("drawn", {"ignore_index": 0}, r"expected --ignore-index with a data folder alone, got --data drawn"),
        ("drawn", {"classes": ["a", "b"]}, r"expected --classes with a data folder alone"),
        ("folder", {"label_noise": 0.1}, r"expected --label-noise with --data drawn alone, got --data folder"),
        ("folder", {}, r"expected a folder of data at folder, got nothing there"),
    ],
)
def test_an_argument_is_never_left_unheard(
    spec: str, options: dict[str, Any], message: str, code: SimpleNamespace
) -> None:
    with pytest.raises(UsageError, match=message):
        segmentation_data(spec, **options)


def test_validation_data_need_no_training_split(tmp_path: Path, code: SimpleNamespace) -> None:
    write_split(tmp_path / "scenes", "val", count=2)
    val = validation_data("scenes", classes=["a", "b", "c"], ignore_index=255)
    assert (len(val), val.classes) == (2, ("a", "b", "c"))
    assert len(validation_data("stripes:pair", classes=["left", "right"], ignore_index=255)) == 1
    with pytest.raises(UsageError, match=r"classes right, left in 'stripes:pair', got left, right: name the same"):
        validation_data("stripes:pair", classes=["right", "left"], ignore_index=255)


def test_masks_of_the_readers_own_are_checked_when_they_are_read() -> None:
    data = checked_data(Stripes(mask=torch.full((6, 8), 255)))
    assert isinstance(data, CheckedData)
    assert checked_data(data) is data
    assert (data[0][1] == 255).all()
    for mask, message in [
        (np.full((6, 8), 2, np.uint8), r"label ids from 0 to 1 or the ignored 255 in item 1 of Stripes, got 2: name"),
        (np.full((6, 8), -1), r"item 1 of Stripes, got -1"),
        (np.zeros((8, 6), np.uint8), r"a mask of class ids \(6, 8\) in item 1 of Stripes, got \(8, 6\)"),
        (None, r"item 1 of Stripes, got \(\)|got int"),
    ]:
        with pytest.raises(UsageError, match=message):
            checked_data(Stripes(mask=3 if mask is None else mask))[1]


def test_items_of_the_readers_own_have_its_names() -> None:
    class Named(Stripes):
        names = ("a.png", "b.png", "c.png")

    def fail(image: Any, mask: Any) -> Any:
        raise OSError("no table")

    plain = checked_data(Stripes())
    for data, name in [(plain, "item 1 of Stripes"), (checked_data(Named()), r"b\.png")]:
        with pytest.raises(UsageError, match=f"^cannot use {name}: OSError: no table"):
            Views(data, fail)[1, 0]
    with pytest.raises(UsageError, match=r"in b\.png, got 2: name all"):
        checked_data(Named(mask=np.full((6, 8), 2)))[1]
    views = Views(plain, skip=True)
    views.bad[2] = True
    assert views.bad_names() == ["item 2 of Stripes"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": None}, r"expected your data sets to have \.classes, got none: set it on Bare"),
        ({"colours": ((1, 1, 1),)}, r"expected a colour for each of your 2 classes, got 1: set \.colours on Bare"),
        ({"__len__": lambda self: 0}, r"expected at least one image in your data sets, got an empty Bare: check"),
    ],
)
def test_a_data_set_has_to_say_what_its_ids_mean(changes: dict[str, Any], message: str) -> None:
    members = {**MEANING, "__len__": lambda self: 1, **changes}
    bare = type("Bare", (), {name: value for name, value in members.items() if value is not None})
    with pytest.raises(UsageError, match=message):
        checked_data(bare())


def test_colours_and_the_ignored_id_of_the_readers_own_have_defaults() -> None:
    members = {"classes": MEANING["classes"], "__len__": lambda self: 1}
    data = checked_data(type("Bare", (), members)())
    assert tuple(data.colours) == distinct_colours(2)
    assert data.ignore_index == 255
    own = checked_data(type("Own", (), {**members, "colours": ((1, 2, 3), (4, 5, 6)), "ignore_index": 0})())
    assert (own.colours, own.ignore_index) == (((1, 2, 3), (4, 5, 6)), 0)
