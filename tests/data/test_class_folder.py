from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from data.miniature import save, write_class_split
from pupil.data.class_folder import ClassFolder
from pupil.data.images import Unreadable
from pupil.errors import UsageError


def zipped(folder: Path, archive: Path, above: str) -> Path:
    with zipfile.ZipFile(archive, "w") as written:
        for file in sorted(folder.rglob("*.png")):
            written.write(file, f"{above}{file.relative_to(folder)}")
    return archive


def test_the_folder_is_the_class(tmp_path: Path) -> None:
    write_class_split(tmp_path, count=2)
    found = ClassFolder(tmp_path, "train")
    assert (found.classes, found.labels) == (("a", "b", "c"), [0, 0, 1, 1, 2, 2])
    assert found.names[2] == "b/000.png"
    image, label = found[5]
    assert (image.shape, image.dtype, label) == ((3, 16, 16), torch.uint8, 2)


@pytest.mark.parametrize("above", ["", "train/", "data/train/"])
def test_an_archive_is_read_like_the_folder(tmp_path: Path, above: str) -> None:
    plain = ClassFolder(tmp_path / "plain", "train") if write_class_split(tmp_path / "plain") else None
    zipped(tmp_path / "plain" / "train", tmp_path / "train.zip", above)
    found = ClassFolder(tmp_path, "train")
    assert plain is not None
    assert (found.classes, found.labels, found.names) == (plain.classes, plain.labels, plain.names)
    assert torch.equal(found[4][0], plain[4][0])


def test_one_archive_of_both_splits(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_class_split(tmp_path, split, count=2 if split == "train" else 1)
    archive = zipped(tmp_path, tmp_path / "all.zip", "all/")
    assert [len(ClassFolder(archive, split)) for split in ("train", "val")] == [6, 3]


def test_a_class_may_bear_the_name_of_the_split(tmp_path: Path) -> None:
    write_class_split(tmp_path, classes=["bus", "train"], count=1)
    zipped(tmp_path / "train", tmp_path / "zips.zip", "")
    (tmp_path / "only").mkdir()
    (tmp_path / "zips.zip").rename(tmp_path / "only" / "train.zip")
    assert ClassFolder(tmp_path / "only", "train").classes == ("bus", "train")


def test_fewer_labels_are_part_of_more(tmp_path: Path) -> None:
    write_class_split(tmp_path, count=5)
    few, more = (ClassFolder(tmp_path, "train", labels=count, seed=3).names for count in (4, 9))
    assert set(few) < set(more)
    assert ClassFolder(tmp_path, "train", labels=4).classes == ("a", "b", "c")


def test_validation_may_lack_a_class_and_not_add_one(tmp_path: Path) -> None:
    write_class_split(tmp_path, "val", classes=["a", "c"], count=1)
    assert ClassFolder(tmp_path, "val", classes="abc").labels == [0, 2]
    with pytest.raises(UsageError, match=r"expected the 2 classes a, b in .*val, got c too"):
        ClassFolder(tmp_path, "val", classes="ab")


def test_the_thousand_folders_of_imagenet_have_names(tmp_path: Path) -> None:
    for index in range(1000):
        save(tmp_path / "train" / f"n{index:08}" / "x.png", [[0]])
    classes = ClassFolder(tmp_path, "train").classes
    assert (len(classes), classes[0]) == (1000, "tench")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected train/CLASS/NAME.jpg or train.zip in .*, got nothing there"):
        ClassFolder(tmp_path / "nowhere", "train")
    (tmp_path / "test").mkdir()
    with pytest.raises(UsageError, match=r"expected train/CLASS.*got test: pass --data DIR"):
        ClassFolder(tmp_path, "train")
    save(tmp_path / "train" / "1.png", [[0]])
    with pytest.raises(UsageError, match=r"got 1 images beside one another: sort them as train/CLASS/NAME.jpg"):
        ClassFolder(tmp_path, "train")
    (tmp_path / "train" / "1.png").unlink()
    with pytest.raises(UsageError, match=r"expected a folder of images for each class in .*, got no image"):
        ClassFolder(tmp_path, "train")


def test_a_broken_image_is_named_with_its_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as written:
        written.writestr("a/1.jpg", b"no image")
    with pytest.raises(Unreadable, match=r"cannot read .*train\.zip/a/1\.jpg: the file is corrupt or no image"):
        ClassFolder(tmp_path, "train")[0]


def test_a_damaged_archive_is_named_with_the_image(tmp_path: Path) -> None:
    """Compressed bytes that are none, where the directory at the end of the archive is whole."""
    archive = tmp_path / "train.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a/1.bmp", bytes(range(256)) * 40)
        start = written.getinfo("a/1.bmp").header_offset + 30 + len("a/1.bmp")
    content = bytearray(archive.read_bytes())
    content[start : start + 20] = b"\xff" * 20
    archive.write_bytes(content)
    with pytest.raises(Unreadable, match=r"cannot read .*train\.zip/a/1\.bmp: the file is corrupt or no image"):
        ClassFolder(tmp_path, "train")[0]
