"""The lanes of BDD100K: masks of any value above 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.lanes.lane_layouts import SIZE, write_bdd100k_layout
from data.layouts import lines
from data.miniature import save
from pupil.data.lanes.bdd100k import BDD100K
from pupil.errors import UsageError


def test_masks_become_background_and_lane(tmp_path: Path) -> None:
    write_bdd100k_layout(tmp_path)
    assert BDD100K.fits(tmp_path)
    train = BDD100K(tmp_path, "train")
    assert [len(train), len(BDD100K(tmp_path, "val")), len(BDD100K(tmp_path, "test"))] == [3, 2, 1]
    assert (train.classes, train.metric, train.rows, train.frame) == (("background", "lane"), "bdd100k", (), SIZE)
    image, mask = train[0]
    assert image.shape == (3, *SIZE)
    assert mask.unique().tolist() == [0, 1]
    assert (mask == 1).sum() == 26 * 4


@pytest.mark.parametrize("value", [1, 2, 254, 255])
def test_no_value_wraps_round(tmp_path: Path, value: int) -> None:
    write_bdd100k_layout(tmp_path)
    save(tmp_path / "val_label" / "0.png", np.full(SIZE, value, np.uint8))
    assert torch.equal(BDD100K(tmp_path, "val")[0][1].unique(), torch.tensor([1]))


def test_fewer_labels_and_lists_of_the_other_name(tmp_path: Path) -> None:
    write_bdd100k_layout(tmp_path)
    assert len(BDD100K(tmp_path, "train", labels=2)) == 2
    (tmp_path / "list" / "val_gt_bdd.txt").rename(tmp_path / "list" / "val_gt.txt")
    assert len(BDD100K(tmp_path, "val")) == 2


def test_the_frame_is_that_of_the_first_image_that_can_be_read(tmp_path: Path) -> None:
    whole = BDD100K(write_bdd100k_layout(tmp_path), "train")
    whole.images[0].write_bytes(b"no image")
    broken = BDD100K(tmp_path, "train")
    assert (broken.frame, len(broken.broken)) == (whole.frame, 1)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a list of images at .*train_gt_bdd\.txt, got no such file"):
        BDD100K(tmp_path, "train")
    write_bdd100k_layout(tmp_path)
    lines(tmp_path / "list" / "val_gt_bdd.txt", ["", "/a.jpg"])
    with pytest.raises(UsageError, match=r"expected an image and a mask in .*val_gt_bdd\.txt, line 2, got '/a\.jpg'"):
        BDD100K(tmp_path, "val")
