"""VOC 2012 alone and with SBD's labels in each form in which they go around."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import FURTHER, IDS, lines, stripes, write_augmented, write_sbd, write_voc
from data.miniature import save
from pupil.data.images import Unreadable
from pupil.data.voc import NAMES, VOC, AugmentedVOC, voc_colours
from pupil.errors import UsageError


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_lists_decide_wherever_the_folder_is_named(tmp_path: Path, above: int) -> None:
    folder = write_voc(tmp_path)
    root = [folder, *folder.parents][above]
    assert VOC.fits(root)
    train, val = VOC(root, "train"), VOC(root, "val")
    assert (tuple(train.names), tuple(val.names)) == (IDS["train"], IDS["val"])
    assert train.classes == val.classes == NAMES
    assert (len(NAMES), train.ignore_index) == (21, 255)
    assert train[0][1][0].tolist() == [0, 1, 20, 255] * 2


def test_the_palette_is_that_of_the_masks(tmp_path: Path) -> None:
    colours = voc_colours(256)
    assert colours[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert (colours[15], colours[20], colours[255]) == ((192, 128, 128), (0, 64, 128), (224, 224, 192))
    assert VOC(write_voc(tmp_path), "train").colours == colours[:21]


def test_further_labels_are_a_choice(tmp_path: Path) -> None:
    folder = write_voc(tmp_path)
    assert not AugmentedVOC.fits(tmp_path)
    write_augmented(folder)
    assert AugmentedVOC.fits(tmp_path)
    assert tuple(VOC(tmp_path, "train").names) == IDS["train"]


@pytest.mark.parametrize("paths", [False, True])
def test_the_augmented_list_is_read_as_ids_and_as_paths(tmp_path: Path, paths: bool) -> None:
    write_augmented(write_voc(tmp_path), paths=paths)
    train = AugmentedVOC(tmp_path, "train")
    assert sorted(train.names) == sorted((*IDS["train"], *FURTHER))
    assert all(mask.parent.name == "SegmentationClassAug" for mask in train.masks)
    assert tuple(AugmentedVOC(tmp_path, "val").names) == IDS["val"]


@pytest.mark.parametrize("named", ["root", "folder"])
def test_sbd_as_released_adds_to_voc_and_never_holds_its_validation(tmp_path: Path, named: str) -> None:
    folder = write_voc(tmp_path)
    write_sbd(folder)
    train = AugmentedVOC(tmp_path if named == "root" else folder, "train")
    assert sorted(train.names) == sorted((*IDS["train"], *FURTHER))
    seen = {name: mask[0, :2].tolist() for name, (_, mask) in zip(train.names, train, strict=True)}
    assert seen == {name: [3, 4] if name in FURTHER else [0, 1] for name in (*IDS["train"], *FURTHER)}
    assert not set(train.names) & set(IDS["val"])


def test_sbd_without_one_of_its_lists_is_not_taken_for_it(tmp_path: Path) -> None:
    sbd = write_sbd(write_voc(tmp_path))
    (sbd / "val.txt").unlink()
    assert not AugmentedVOC.fits(tmp_path)
    with pytest.raises(UsageError, match=r"nor benchmark_RELEASE/dataset with cls, train\.txt, val\.txt: add them, or"):
        AugmentedVOC(tmp_path, "train")


def test_the_real_form_of_a_matlab_file_is_read_and_a_broken_one_named(tmp_path: Path) -> None:
    folder = write_voc(tmp_path)
    sbd = write_sbd(folder)
    (sbd / "cls" / f"{FURTHER[0]}.mat").write_bytes(b"no matrix")
    train = AugmentedVOC(tmp_path, "train")
    with pytest.raises(Unreadable, match=r"cannot read .*2010_06\.mat: expected SBD's GTcls\.Segmentation"):
        train[train.names.index(FURTHER[0])]


def test_a_matlab_mask_of_another_size_is_found_on_reading(tmp_path: Path) -> None:
    folder = write_voc(tmp_path)
    write_sbd(folder, (6, 8))
    save(folder / "JPEGImages" / f"{FURTHER[0]}.jpg", stripes([(0, 0, 0)], (5, 5)))
    train = AugmentedVOC(tmp_path, "train")
    with pytest.raises(UsageError, match=r"size of its image 2010_06\.jpg, 5x5, got 8x6"):
        train[train.names.index(FURTHER[0])]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"expected JPEGImages, SegmentationClass and ImageSets/Segmentation in .*, got"
    ):
        VOC(tmp_path, "train")
    folder = write_voc(tmp_path)
    with pytest.raises(UsageError, match=r"SBD's labels with .*, got neither SegmentationClassAug .* or pass --format"):
        AugmentedVOC(tmp_path, "train")
    with pytest.raises(UsageError, match=r"expected a list of images at .*test\.txt, got no such file"):
        VOC(tmp_path, "test")
    (folder / "SegmentationClass" / "2007_02.png").unlink()
    with pytest.raises(UsageError, match=r"got none for 1 of 3, first .*SegmentationClass/2007_02\.png"):
        VOC(tmp_path, "train")
    lines(folder / "ImageSets" / "Segmentation" / "val.txt", [])
    with pytest.raises(UsageError, match=r"expected images in the list .*val\.txt, got an empty file"):
        VOC(tmp_path, "val")


def test_few_labels(tmp_path: Path) -> None:
    train = VOC(write_voc(tmp_path), "train", labels=1, seed=1)
    assert len(train) == 1
    assert len(train.left_out) == 2
    assert {*train.names, *(path.stem for path in train.left_out)} == {*IDS["train"]}
