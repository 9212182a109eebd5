"""Cityscapes: official ids become train ids, every other id is ignored, strange ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import stripes, write_cityscapes
from data.miniature import save
from pupil.data.cityscapes import CLASSES, LABEL_IDS, Cityscapes
from pupil.errors import UsageError

# As the method cards write it down.
TABLE = "7:0 8:1 11:2 12:3 13:4 17:5 19:6 20:7 21:8 22:9 23:10 24:11 25:12 26:13 27:14 28:15 31:16 32:17 33:18"


def test_the_table_is_the_official_one() -> None:
    pairs = dict(tuple(map(int, pair.split(":"))) for pair in TABLE.split())
    assert {label: train for label, train in LABEL_IDS.items() if train != 255} == pairs
    assert len(CLASSES) == 19
    assert [name for _, name, _ in CLASSES][::6] == ["road", "traffic light", "rider", "bicycle"]


@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_both_kinds_of_masks_give_train_ids(tmp_path: Path, kind: str) -> None:
    root = write_cityscapes(tmp_path, kind=kind)
    assert Cityscapes.fits(root)
    train, val = Cityscapes(root, "train"), Cityscapes(root, "val")
    assert (len(train), len(val)) == (4, 2)
    assert train.names[0] == "aachen_000000_000019_leftImg8bit"
    for image, mask in train:
        assert image.shape == (3, 6, 8)
        assert mask[0].tolist() == [0, 255, 13, 18] * 2


def test_train_ids_of_some_images_alone_are_left(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    whole = Cityscapes(tmp_path, "train").masks
    some = whole[0].with_name(whole[0].name.replace("labelIds", "labelTrainIds"))
    save(some, stripes([0, 255, 13, 18], (6, 8)))
    assert Cityscapes(tmp_path, "train").masks == whole


def test_a_strange_id_is_refused_with_its_file(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    save(tmp_path / "gtFine" / "val" / "lindau" / "lindau_000000_000019_gtFine_labelIds.png", stripes([7, 34], (6, 8)))
    with pytest.raises(UsageError, match=r"expected values 0 to 33 and 255 in .*lindau_000000.*, got 34: is it"):
        Cityscapes(tmp_path, "val")[0]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    with pytest.raises(UsageError, match=r"expected images CITY/\*_leftImg8bit\.png in .*test, got none"):
        Cityscapes(tmp_path, "test")
    (tmp_path / "gtFine" / "val" / "lindau" / "lindau_000001_000019_gtFine_labelIds.png").unlink()
    with pytest.raises(UsageError, match=r"X_gtFine_labelIds\.png .* got none for 1 of 2 \(lindau_000001_000019\)"):
        Cityscapes(tmp_path, "val")
