"""Image files with boxes: types, sizes, fewer labels, and the way through views, workers and batches."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from data.layouts import lines, picture
from data.miniature import save
from pupil.data.batches import Batches
from pupil.data.detection.box_images import BoxImages, image_named, listed_names
from pupil.data.detection.boxes import Annotation
from pupil.data.detection.transforms import detection_transform
from pupil.data.views import Views, collate
from pupil.errors import UsageError

SIZES = [(20, 30), (24, 30), (20, 30), (20, 36)]


def whole(place: int, size: tuple[int, int], *, count: int = 2) -> Annotation:
    """So many boxes: all of the image, then its left half, ..."""
    boxes = [[0, 0, size[1] / (1 + number), size[0]] for number in range(count)]
    return Annotation(boxes, range(1, count + 1), [number == 1 for number in range(count)], {"place": [place] * count})


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [save(tmp_path / f"{place}.png", picture(size, place)) for place, size in enumerate(SIZES)]


def data(paths: list[Path], **options: Any) -> BoxImages:
    return BoxImages(paths, paths, options.pop("read", whole), ("car", "person"), **options)


def test_an_item(paths: list[Path]) -> None:
    image, target = data(paths, ignored=True)[3]
    assert isinstance(image, tv_tensors.Image)
    assert (image.shape, image.dtype) == ((3, 20, 36), torch.uint8)
    boxes = target["boxes"]
    assert isinstance(boxes, tv_tensors.BoundingBoxes)
    assert (boxes.canvas_size, boxes.dtype, boxes.tolist()) == (
        (20, 36),
        torch.float32,
        [[0, 0, 36, 20], [0, 0, 18, 20]],
    )
    assert (target["labels"].tolist(), target["place"].tolist(), target["area"].tolist()) == (
        [1, 2],
        [3, 3],
        [720, 360],
    )
    assert sorted(target) == ["area", "boxes", "labels", "place"]


def test_what_is_not_to_train_on_and_what_is_kept_stays_whole(paths: list[Path]) -> None:
    ours = data(paths)
    target = ours[-1][1]
    assert (target["labels"].tolist(), ours.boxes_of(-1)) == ([1], 1)
    target["boxes"].zero_()
    assert ours[3][1]["boxes"].max() == 36
    assert (len(ours.colours), ours.names) == (2, ["0", "1", "2", "3"])


def test_fewer_labels_are_part_of_more_and_read_alone(paths: list[Path]) -> None:
    read: list[int] = []

    def noted(place: int, size: tuple[int, int]) -> Annotation:
        read.append(place)
        return whole(place, size)

    few, more = (data(paths, labels=count, seed=3, read=noted) for count in (1, 3))
    assert {*few.kept} < {*more.kept}
    assert sorted(read) == sorted([*few.kept, *more.kept])
    assert {*few.images, *few.left_out} == {*paths}
    assert few[0][1]["place"].tolist() == few.kept
    with pytest.raises(UsageError, match="expected from 1 to 4 labelled images"):
        data(paths, labels=5)


def test_files_that_are_missing_or_of_another_size(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.png to have the size that its labels say, 31x20, got 30x20"):
        data(paths, sizes=[(20, 31)] * 4)[0]
    gone = [*paths, tmp_path / "gone.png", tmp_path / "no" / "folder.png"]
    with pytest.raises(UsageError, match=r"got none for 2 of 6, first .*gone\.png: unpack"):
        data(gone)
    with pytest.raises(UsageError, match=r"every image that is listed, got none for 2 of 6, first .*gone\.png"):
        data(gone, sizes=[(20, 30)] * 6)


def test_images_by_name_and_lists(tmp_path: Path) -> None:
    save(tmp_path / "a.b.JPG", picture((4, 4)))
    assert image_named(tmp_path, "a.b").name == "a.b.JPG"
    assert image_named(tmp_path, "c").name == "c.jpg"
    assert listed_names(lines(tmp_path / "list.txt", ["a 1", "", "b -1"])) == ["a", "b"]
    with pytest.raises(UsageError, match="got an empty file"):
        listed_names(lines(tmp_path / "none.txt", [""]))
    with pytest.raises(UsageError, match=r"expected a list of images at .*nowhere"):
        listed_names(tmp_path / "nowhere.txt")
    (tmp_path / "broken.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"expected a list of images as text in .*broken\.txt, got a broken file"):
        listed_names(tmp_path / "broken.txt")


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_different_sizes(paths: list[Path], workers: int) -> None:
    views = Views(data(paths), detection_transform(short=10, long=100))
    batches = Batches(4, 4, steps=1, seed=0)
    load = partial(DataLoader, views, batch_sampler=batches, collate_fn=collate, num_workers=workers)
    (image, target, sample) = next(iter(load()))
    assert [tuple(each.shape) for each in image] == [
        (3, 10, SIZES[i][1] * 10 // SIZES[i][0]) for i in sample[:, 0].tolist()
    ]
    assert isinstance(target, list)
    for each, box in zip(image, target, strict=True):
        assert box["boxes"].tolist() == [[0, 0, each.shape[2], 10]]
        assert box["labels"].tolist() == [1]
