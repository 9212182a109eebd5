"""CamVid in both forms: the same eleven classes, whichever way they were written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import stripes, write_camvid
from data.miniature import save
from pupil.data.camvid import CLASSES, CamVid
from pupil.errors import UsageError


@pytest.mark.parametrize("painted", [False, True])
def test_ids_and_colours_give_the_same(tmp_path: Path, painted: bool) -> None:
    root = write_camvid(tmp_path, painted=painted)
    assert CamVid.fits(root)
    train, val = CamVid(root, "train"), CamVid(root, "val")
    assert (len(train), len(val), train.ignore_index) == (3, 2, 11)
    assert (train.classes[0], train.classes[10], len(train.classes)) == ("sky", "bicyclist", 11)
    assert train[1][1][0].tolist() == [0, 10, 11, 0, 10, 11, 0, 10]


def test_no_colour_belongs_to_two_classes_and_all_32_are_known(tmp_path: Path) -> None:
    colours = [colour for group in CLASSES.values() for colour in group]
    # 31 classes beside void, and SegNet's own colours of markings and pavement.
    assert len(colours) == len(set(colours)) == 33


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected train with trainannot or train_labels in .*, got no such folders"):
        CamVid(tmp_path, "train")
    write_camvid(tmp_path, painted=True)
    save(tmp_path / "val_labels" / "0001TP_000001_L.png", stripes([(1, 2, 3)], (6, 8)))
    with pytest.raises(UsageError, match=r"0001TP_000001_L\.png, got \[1, 2, 3\]"):
        CamVid(tmp_path, "val")[1]
    (tmp_path / "val_labels" / "0001TP_000000_L.png").unlink()
    with pytest.raises(UsageError, match=r"got none for 1 of 2 \(0001TP_000000\): add val_labels/NAME_L\.png"):
        CamVid(tmp_path, "val")
