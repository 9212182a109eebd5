"""Boxes go where their image goes, and nothing that is not to train on comes through."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision import tv_tensors

from pupil.data.detection.drawn import DrawnBoxes
from pupil.data.detection.transforms import detection_transform
from pupil.data.views import seeded
from pupil.errors import UsageError


def sample(size: tuple[int, int] = (40, 60), **further: Any) -> tuple[Any, dict[str, Any]]:
    """A white square on black, and its box; then the box of the whole image."""
    image = torch.zeros(3, *size, dtype=torch.uint8)
    image[:, 10:20, 6:24] = 255
    boxes = torch.tensor([[6.0, 10, 24, 20], [0, 0, size[1], size[0]]])
    target = {"boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size), "labels": torch.tensor([1, 2])}
    return tv_tensors.Image(image), target | further


def bright(image: torch.Tensor) -> list[int]:
    """The box around what is white."""
    rows, columns = (image.amin(dim=0) > 0.8).nonzero().T
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": (80, 120)},
        {"size": (20, 90)},
        {"short": 80},
        {"short": (60, 80), "long": 100},
        {"zoom_out": 2.0},
        {"crop": True},
        {"zoom_out": 2.0, "crop": True, "short": 64, "colour": 0.1},
    ],
)
def test_the_box_stays_around_what_it_shows(options: dict[str, Any]) -> None:
    transform = detection_transform(**options)
    seen = 0
    for seed in range(12):
        with seeded(seed):
            image, target = transform(*sample())
        assert target["boxes"].canvas_size == image.shape[1:]
        assert image.dtype == torch.float32
        assert len(target["boxes"]) == len(target["labels"])
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            if label == 1:
                seen += 1
                assert box == pytest.approx(bright(image), abs=max(image.shape[1] / 40, 1) * 1.01)
    assert seen > 3


def test_sizes() -> None:
    def sides(**options: Any) -> set[tuple[int, ...]]:
        results = set()
        for seed in range(8):
            with seeded(seed):
                results.add(tuple(detection_transform(**options)(*sample())[0].shape[1:]))
        return results

    assert sides() == {(40, 60)}
    assert sides(size=(33, 44)) == {(33, 44)}
    assert sides(short=20) == {(20, 30)}
    assert sides(short=80, long=90) == {(60, 90)}
    assert sides(short=(20, 40)) == {(20, 30), (40, 60)}


def test_half_are_mirrored_and_the_same_seed_gives_the_same_view() -> None:
    transform = detection_transform()
    found = []
    for seed in range(40):
        with seeded(seed):
            image, target = transform(*sample())
        with seeded(seed):
            assert torch.equal(transform(*sample())[0], image)
        found.append(target["boxes"][0].tolist())
    assert {tuple(each) for each in found} == {(6, 10, 24, 20), (36, 10, 54, 20)}
    assert 10 < found.count([6, 10, 24, 20]) < 30


@pytest.mark.parametrize("name", ["iscrowd", "difficult"])
def test_what_is_there_to_be_scored_on_stays_behind(name: str) -> None:
    still = detection_transform(flip=False)
    _, target = still(*sample(**{name: torch.tensor([1, 0])}))
    assert (sorted(target), target["labels"].tolist()) == (["boxes", "labels"], [2])
    image, target = sample(area=torch.ones(2))
    target["labels"][0] = 0
    assert still(image, target)[1]["labels"].tolist() == [2]


def test_boxes_that_become_too_small_are_left_out() -> None:
    assert detection_transform(size=(4, 6), flip=False)(*sample())[1]["labels"].tolist() == [1, 2]
    assert detection_transform(size=(3, 6), flip=False)(*sample())[1]["labels"].tolist() == [2]
    assert len(detection_transform(size=(3, 6), flip=False, smallest=0.5)(*sample())[1]["labels"]) == 2


def test_plain_boxes_and_images_without_any() -> None:
    image, target = sample()
    target["boxes"] = target["boxes"].as_subclass(torch.Tensor)
    assert isinstance(detection_transform()(image, target)[1]["boxes"], tv_tensors.BoundingBoxes)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    for options in ({}, {"zoom_out": 3.0, "crop": True, "size": (32, 32)}):
        boxes = detection_transform(**options)(image, empty)[1]["boxes"]
        assert boxes.shape == (0, 4)


def test_drawn_scenes_pass() -> None:
    transform = detection_transform((48, 48), crop=True, zoom_out=2, colour=0.4)
    for index in range(4):
        image, target = transform(*DrawnBoxes(4)[index])
        assert image.shape == (3, 48, 48)
        assert (target["boxes"] <= 48).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": (8, 8), "short": 4}, "expected either a size or a short side"),
        ({"long": 90}, "expected a short side beside the long one, got only 90"),
        ({"size": (0, 8)}, r"expected sides of at least 1 pixel, got \(0, 8\)"),
        ({"short": (0, 8)}, "at least 1 pixel"),
        ({"colour": 1.0}, "expected a colour jitter"),
        ({"zoom_out": 0.5}, "expected to zoom out by a factor"),
        ({"smallest": 0}, "expected boxes to keep a positive side"),
    ],
)
def test_settings_out_of_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        detection_transform(**options)
