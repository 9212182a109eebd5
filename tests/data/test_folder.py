"""Folders of images and masks: what is found, what ids mean, and one clear line for each mistake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from data.miniature import save, write_split
from pupil.data.batches import Batches
from pupil.data.folder import SegmentationFolder, open_images
from pupil.data.palette import distinct_colours
from pupil.data.transforms import training_transform
from pupil.data.views import Views
from pupil.errors import UsageError

CAMVID = Path(__file__).parents[2].parent / "shared" / "data" / "camvid"
NAMED = {"classes": ["a", "b", "c"], "colours": [[1, 1, 1], [2, 2, 2], [3, 3, 3]], "ignore_index": 7}


def test_images_and_masks_are_paired_by_name_whatever_the_format(tmp_path: Path) -> None:
    for index, name in enumerate(["b.jpg", "a.PNG", "c.bmp", "d.webp", "e.tiff"]):
        save(tmp_path / "train" / "images" / name, np.full((4, 4, 3), 50 * index, np.uint8))
        save(tmp_path / "train" / "masks" / f"{Path(name).stem}.png", np.full((4, 4), index, np.uint8))
    (tmp_path / "train" / "images" / "notes.txt").write_text("")
    (tmp_path / "train" / "images" / ".hidden.png").write_text("")
    dataset = SegmentationFolder(tmp_path, "train")
    assert dataset.names == ["a", "b", "c", "d", "e"]
    for index, (image, mask) in enumerate(dataset):
        expected = [1, 0, 2, 3, 4][index]
        assert (mask == expected).all()
        assert (image.int() - 50 * expected).abs().max() < 4


def test_without_names_the_training_masks_decide_for_every_split(tmp_path: Path) -> None:
    write_split(tmp_path, "train", classes=5)
    write_split(tmp_path, "val", classes=2)
    for split in ("train", "val"):
        dataset = SegmentationFolder(tmp_path, split)
        assert dataset.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")
        assert dataset.colours == distinct_colours(5)
        assert dataset.ignore_index == 255
    assert len(SegmentationFolder(tmp_path, "train", ignore_index=4).classes) == 4


def test_a_split_alone_decides_for_itself(tmp_path: Path) -> None:
    write_split(tmp_path, "test", classes=2)
    assert SegmentationFolder(tmp_path, "test").classes == ("class 0", "class 1")


def test_few_labels_do_not_change_the_classes(tmp_path: Path) -> None:
    split = write_split(tmp_path, count=6, classes=2)
    save(split / "masks" / "003.png", np.repeat(np.array([[2, 3]], np.uint8), 24).reshape(6, 8))
    for seed in range(6):
        assert len(SegmentationFolder(tmp_path, "train", labels=1, seed=seed).classes) == 4


def test_the_file_says_what_ids_mean_and_arguments_win(tmp_path: Path) -> None:
    write_split(tmp_path)
    (tmp_path / "classes.json").write_text(json.dumps(NAMED))
    dataset = SegmentationFolder(tmp_path, "train")
    assert dataset.classes == ("a", "b", "c")
    assert dataset.colours == ((1, 1, 1), (2, 2, 2), (3, 3, 3))
    assert dataset.ignore_index == 7
    assert SegmentationFolder(tmp_path, "train", ignore_index=9).ignore_index == 9
    named = SegmentationFolder(tmp_path, "train", classes=["x", "y", "z", "w"])
    assert named.classes == ("x", "y", "z", "w")
    assert named.colours == distinct_colours(4)
    painted = SegmentationFolder(tmp_path, "train", colours=[(9, 9, 9), (8, 8, 8), (7, 7, 7)])
    assert painted.colours == ((9, 9, 9), (8, 8, 8), (7, 7, 7))


def test_the_classes_of_one_split_handed_to_another_keep_their_colours(tmp_path: Path) -> None:
    write_split(tmp_path)
    write_split(tmp_path, "val")
    void = {"classes": [*NAMED["classes"], "void"], "colours": [*NAMED["colours"], [0, 0, 0]], "ignore_index": 3}
    (tmp_path / "classes.json").write_text(json.dumps(void))
    train = SegmentationFolder(tmp_path, "train")
    val = SegmentationFolder(tmp_path, "val", classes=train.classes, ignore_index=train.ignore_index)
    assert train.classes == val.classes == ("a", "b", "c")
    assert train.colours == val.colours == ((1, 1, 1), (2, 2, 2), (3, 3, 3))


def test_a_missing_folder_or_split_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a folder of data at .*nowhere, got nothing there: pass --data DIR"):
        SegmentationFolder(tmp_path / "nowhere", "train")
    with pytest.raises(UsageError, match=r"expected the split 'train' as a folder in .*, got no folder"):
        SegmentationFolder(tmp_path, "train")
    split = write_split(tmp_path)
    write_split(tmp_path, "test")
    with pytest.raises(UsageError, match=r"expected the split 'val' as a folder in .*, got test, train"):
        SegmentationFolder(tmp_path, "val")
    (split / "masks").rename(split / "labels")
    with pytest.raises(UsageError, match=r"expected a folder 'masks' in .*train, got images, labels"):
        SegmentationFolder(tmp_path, "train")


def test_no_images_are_refused(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    shutil.rmtree(split / "images")
    (split / "images").mkdir()
    with pytest.raises(UsageError, match=r"expected images \(\.jpg, .*\) in .*images, got none"):
        SegmentationFolder(tmp_path, "train")


def test_images_without_masks_are_counted_and_the_first_named(tmp_path: Path) -> None:
    split = write_split(tmp_path, count=7)
    for name in (1, 2, 4, 6):
        (split / "masks" / f"{name:03}.png").unlink()
    with pytest.raises(UsageError, match=r"got none for 4 of 7 \(001, 002, 004, \.\.\.\): add masks/NAME\.png"):
        SegmentationFolder(tmp_path, "train")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    save(split / "images" / "001.bmp", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(UsageError, match=r"one image per name in .*images, got two or more of 001"):
        SegmentationFolder(tmp_path, "train")


def test_wrong_sizes_and_malformed_names_reach_the_user(tmp_path: Path) -> None:
    split = write_split(tmp_path)
    save(split / "masks" / "001.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(UsageError, match=r"mask .*001\.png to have the size of its image"):
        SegmentationFolder(tmp_path, "train")
    (tmp_path / "classes.json").write_text("[]")
    with pytest.raises(UsageError, match=r"classes\.json to hold an object"):
        SegmentationFolder(tmp_path, "train")


def test_nothing_is_decoded_at_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile.ImageFile) -> None:
        raise RuntimeError("decoded")

    split = write_split(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(split / "images" / "jpeg.jpg", np.zeros((8, 6, 3), np.uint8), exif=exif)
    save(split / "masks" / "jpeg.png", np.zeros((6, 8), np.uint8))
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    dataset = SegmentationFolder(tmp_path, "train", classes=["a", "b", "c"])
    with pytest.raises(RuntimeError, match="decoded"):
        dataset[0]


def test_a_folder_feeds_views_and_batches(tmp_path: Path) -> None:
    write_split(tmp_path, classes=3)
    dataset = SegmentationFolder(tmp_path, "train")
    views = Views(dataset, training_transform((6, 8), ignore_index=dataset.ignore_index))
    loader = torch.utils.data.DataLoader(views, batch_sampler=Batches(len(views), 3, steps=4, seed=0))
    for image, mask, sample in loader:
        assert image.shape == (3, 3, 6, 8)
        assert set(mask.unique().tolist()) <= {0, 1, 2, 255}
        assert sample.shape == (3, 2)


def test_open_images_takes_a_folder_a_file_a_pattern_or_several(tmp_path: Path) -> None:
    split = write_split(tmp_path, count=3)
    folder = split / "images"
    one = str(folder / "001.png")
    assert open_images(folder).names == ["000", "001", "002"]
    assert open_images(split).names == ["000", "001", "002"]
    assert open_images(one).names == ["001"]
    assert open_images(f"{folder}/00[12].*").names == ["001", "002"]
    assert open_images([one, folder]).names == ["001", "000", "002"]
    name, image = open_images(folder)[2]
    assert name == "002"
    assert image.shape == (3, 6, 8)
    assert image.dtype == torch.uint8
    assert [name for name, _ in open_images(folder)] == ["000", "001", "002"]


def test_open_images_keeps_the_suffix_where_names_would_clash(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "b.png"):
        save(tmp_path / name, np.zeros((2, 3, 3), np.uint8))
    assert open_images(tmp_path).names == ["a.bmp", "a.png", "b"]
    save(tmp_path / "other" / "a.png", np.zeros((2, 3, 3), np.uint8))
    assert open_images([tmp_path, tmp_path / "other"]).names == ["a.bmp", "a.png", "b", "other/a"]


def test_open_images_looks_below_a_folder_that_has_none_itself(tmp_path: Path) -> None:
    for name in ("1/20.png", "2/20.png", "2/deep/21.png"):
        save(tmp_path / name, np.zeros((2, 3, 3), np.uint8))
    assert open_images(tmp_path).names == ["1/20", "2/20", "2/deep/21"]


def test_open_images_refuses_what_holds_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected images \(\.jpg, .*got none"):
        open_images(tmp_path)
    with pytest.raises(UsageError, match=r"expected an image, a folder of images or a pattern, got .*gone\.png"):
        open_images(tmp_path / "gone.png")
    with pytest.raises(UsageError, match="expected at least one image, got none"):
        open_images([])
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(UsageError, match=r"cannot read .*a\.png"):
        open_images(tmp_path)[0]


@pytest.mark.skipif(not CAMVID.is_dir(), reason="the CamVid data is not beside the repository")
def test_camvid() -> None:
    train, val = (SegmentationFolder(CAMVID, split, ignore_index=11) for split in ("train", "val"))
    assert (len(train), len(val)) == (367, 101)
    assert len(train.classes) == len(val.classes) == 11
    image, mask = train[0]
    assert image.shape == (3, 360, 480)
    assert mask.shape == (360, 480)
    assert set(mask.unique().tolist()) <= set(range(12))
    with pytest.raises(UsageError, match="got 11: pass --ignore-index"):
        list(SegmentationFolder(CAMVID, "val", classes=train.classes))
