"""Images with masks: what is checked at the door, what on reading, and what is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from data.miniature import save, write_split
from pupil.data import labelled
from pupil.data.classes import Classes
from pupil.data.images import Unreadable
from pupil.data.labelled import LabelledImages
from pupil.data.masks import MaskReader
from pupil.errors import UsageError

THREE = Classes(("a", "b", "c"))


def files(split: Path) -> tuple[list[Path], list[Path]]:
    return sorted((split / "images").iterdir()), sorted((split / "masks").iterdir())


def test_items_are_the_files(tmp_path: Path) -> None:
    images, masks = files(write_split(tmp_path))
    dataset = LabelledImages(images, masks, THREE)
    assert len(dataset) == 4
    assert dataset.names == ["000", "001", "002", "003"]
    for index, (image, mask) in enumerate(dataset):
        assert isinstance(image, tv_tensors.Image)
        assert isinstance(mask, tv_tensors.Mask)
        assert image.dtype == torch.uint8
        assert mask.dtype == torch.int64
        with Image.open(images[index]) as picture, Image.open(masks[index]) as ids:
            assert np.array_equal(image.permute(1, 2, 0), np.array(picture))
            assert np.array_equal(mask, np.array(ids))


def test_fewer_labels_are_a_part_of_more_and_follow_the_seed(tmp_path: Path) -> None:
    images, masks = files(write_split(tmp_path, count=12))

    def kept(labels: int, seed: int = 0) -> list[str]:
        dataset = LabelledImages(images, masks, THREE, labels=labels, seed=seed)
        assert [path.stem for path in dataset.masks] == dataset.names
        return dataset.names

    assert len(kept(4)) == 4
    assert set(kept(4)) < set(kept(7)) < set(kept(12))
    assert kept(4) == kept(4) != kept(4, seed=1)
    assert kept(12) == [path.stem for path in images]


@pytest.mark.parametrize("labels", [0, 5, -1])
def test_more_labels_than_there_are_are_refused(tmp_path: Path, labels: int) -> None:
    with pytest.raises(UsageError, match=f"from 1 to 4 labelled images, as many as there are, got {labels}"):
        LabelledImages(*files(write_split(tmp_path)), THREE, labels=labels)


def test_a_mask_of_another_size_is_refused_at_the_door(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    save(split / "masks" / "002.png", np.zeros((6, 9), np.uint8))
    with pytest.raises(UsageError, match=r"mask .*002\.png to have the size of its image 002\.png, 8x6, got 9x6"):
        LabelledImages(*files(split), THREE)


def test_the_size_is_that_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = save(tmp_path / "a.jpg", np.zeros((8, 6, 3), np.uint8), exif=exif)
    dataset = LabelledImages([image], [save(tmp_path / "a.png", np.zeros((6, 8), np.uint8))], THREE)
    assert dataset[0][0].shape == (3, 6, 8)


def test_a_corrupt_header_is_noted_at_the_door_and_a_corrupt_body_on_reading(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    broken = split / "images" / "001.png"
    broken.write_bytes(broken.read_bytes()[:60])
    dataset = LabelledImages(*files(split), THREE)
    with pytest.raises(UsageError, match=r"cannot read .*001\.png: the file is corrupt"):
        dataset[1]
    assert dataset.broken == []
    broken.write_bytes(b"")
    dataset = LabelledImages(*files(split), THREE)
    assert len(dataset) == 4
    assert [str(error) for error in dataset.broken] == [f"cannot read {broken}: the file is corrupt or no image"]
    for read in (dataset.check_labels, lambda: dataset[1]):
        with pytest.raises(Unreadable, match=r"cannot read .*001\.png: the file is corrupt"):
            read()
    dataset[0]


@pytest.mark.parametrize(("folder", "what"), [("images", "image"), ("masks", "mask")])
def test_files_that_are_not_there_are_refused_at_the_door(tmp_path: Path, folder: str, what: str) -> None:
    split = write_split(tmp_path)
    images, masks = files(split)
    (split / folder / "001.png").unlink()
    message = rf"every {what} that is listed, got none for 1 of 4, first .*{folder}/001\.png"
    with pytest.raises(UsageError, match=message):
        LabelledImages(images, masks, THREE)


def test_ids_that_are_no_class_are_refused_with_file_ids_and_range(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    save(split / "masks" / "001.png", [[0, 1, 2, 255, 3, 9, 9, 9]] * 6)
    dataset = LabelledImages(*files(split), THREE)
    with pytest.raises(
        UsageError, match=r"from 0 to 2 or the ignored 255 in .*001\.png, got 3, 9: pass --ignore-index"
    ):
        dataset[1]
    assert LabelledImages(*files(split), Classes(tuple("abcd"), ignore_index=9))[0]
    with pytest.raises(UsageError, match=r"got 255: "):
        LabelledImages(*files(split), Classes(tuple("abcd"), ignore_index=9))[1]


def test_ids_below_zero_are_refused_too(tmp_path: Path) -> None:
    images, masks = files(write_split(tmp_path))
    reader = MaskReader(lambda path: np.full((6, 8), -1), lambda path: None)
    with pytest.raises(UsageError, match=r"from 0 to 2 or the ignored 255 in .*000\.png, got -1: pass"):
        LabelledImages(images, masks, THREE, reader=reader)[0]


@pytest.mark.parametrize("ignore_index", [-1, 300])
def test_an_ignored_id_outside_a_byte_is_no_trouble(tmp_path: Path, ignore_index: int) -> None:
    dataset = LabelledImages(*files(write_split(tmp_path)), Classes(("a", "b", "c"), ignore_index=ignore_index))
    assert dataset[0][1].max() == 2


def test_the_cache_gives_the_same_and_cannot_be_written_through(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    plain, cached = (LabelledImages(*files(split), THREE, cache=cache) for cache in (False, True))
    for _ in range(2):
        for one, other in zip(plain, cached, strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])
            other[0].zero_()
            other[1].zero_()
    for path in (split / "images").iterdir():
        path.unlink()
    assert cached[3][0].any()
    with pytest.raises(UsageError, match="no such file"):
        plain[3]


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "ROOM", 2 * (3 + 1) * 6 * 8)
    split = write_split(tmp_path)
    cached = LabelledImages(*files(split), THREE, cache=True)
    assert len(list(cached)) == 4
    for path in (split / "images").iterdir():
        path.unlink()
    assert cached[0]
    assert cached[1]
    with pytest.raises(UsageError, match="no such file"):
        cached[2]


def test_all_labels_are_checked_at_once_where_a_run_would_meet_them_late(tmp_path: Path) -> None:
    images = [save(tmp_path / f"{index}.jpg", np.zeros((4, 4, 3), np.uint8)) for index in range(3)]
    masks = [save(tmp_path / f"{index}.png", [[0, 1, 1, 0]] * 4) for index in range(3)]
    data = LabelledImages(images, masks, Classes(("a", "b")))
    data.check_labels()
    save(masks[2], [[0, 1, 7, 0]] * 4)
    with pytest.raises(UsageError, match=r"in .*2\.png, got 7: pass --ignore-index .*, or mend the mask"):
        data.check_labels()
