"""ADE20K: zero is ignored, and everything else moves down by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import stripes, write_ade20k
from data.miniature import save
from pupil.data.ade20k import ADE20K
from pupil.errors import UsageError


@pytest.mark.parametrize("above", [0, 1])
def test_zero_is_reduced(tmp_path: Path, above: int) -> None:
    folder = write_ade20k(tmp_path)
    root = [folder, *folder.parents][above]
    assert ADE20K.fits(root)
    train, val = ADE20K(root, "train"), ADE20K(root, "val")
    assert (len(train), len(val), len(train.classes), train.ignore_index) == (3, 2, 150, 255)
    assert train[0][1][0].tolist() == [255, 0, 149, 255, 0, 149, 255, 0]
    assert (train.classes[0], train.classes[149], train.classes[44]) == ("wall", "flag", "chest of drawers")


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected images/training and annotations/training in .*, got no such"):
        ADE20K(tmp_path, "train")
    folder = write_ade20k(tmp_path)
    save(folder / "annotations" / "validation" / "ADE_validation_0.png", stripes([151], (6, 8)))
    with pytest.raises(UsageError, match=r"to 150 in .*ADE_validation_0\.png, got 151"):
        ADE20K(tmp_path, "val")[0]
    (folder / "annotations" / "training" / "ADE_training_1.png").unlink()
    with pytest.raises(UsageError, match=r"got none for 1 of 3 \(ADE_training_1\): add training/NAME\.png"):
        ADE20K(tmp_path, "train")
