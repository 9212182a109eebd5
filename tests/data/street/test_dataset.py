"""Street scenes as a map-style data set."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from pupil.data.street import CLASSES, StreetScenes
from pupil.errors import UsageError


def test_an_item_is_an_image_and_a_mask() -> None:
    image, mask = StreetScenes(2)[1]
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert (image.shape, image.dtype) == ((3, 64, 96), torch.uint8)
    assert (mask.shape, mask.dtype) == ((64, 96), torch.int64)
    assert int(mask.max()) < len(CLASSES)


def test_an_item_is_its_scene() -> None:
    scenes = StreetScenes(3, seed=4)
    image, mask = scenes[-1]
    scene = scenes.scene(2)
    assert np.array_equal(image.numpy(), scene.image)
    assert np.array_equal(mask.numpy(), scene.mask)
    with pytest.raises(IndexError):
        scenes[3]


def test_what_was_drawn_is_kept_and_cannot_be_spoilt_from_outside() -> None:
    scenes = StreetScenes(1)
    before = scenes[0][0].clone()
    scenes[0][0].zero_()
    assert torch.equal(scenes[0][0], before)


def test_splits_and_seeds_never_meet() -> None:
    firsts = [StreetScenes(1, seed=seed, split=split)._first for seed in range(4) for split in ("train", "val", "test")]
    assert np.diff(sorted(firsts)).min() >= 2**31 - 1
    train, val = StreetScenes(1), StreetScenes(1, split="val")
    assert not torch.equal(train[0][0], val[0][0])


def test_the_scenes_without_labels_are_the_others() -> None:
    few, many = StreetScenes(6, labels=2), StreetScenes(6)
    assert len(few.left_out) == 4
    assert not len(many.left_out)
    for index in range(4):
        assert torch.equal(few.left_out[index][0], many[2 + index][0])
    assert few.left_out is few.left_out


def test_rarer_labels_are_the_first_scenes() -> None:
    few, many = StreetScenes(20, labels=3), StreetScenes(20)
    assert len(few) == 3
    assert torch.equal(few[2][0], many[2][0])


def test_workers_see_the_same_scenes() -> None:
    scenes = StreetScenes(4, size=(32, 48))
    alone = torch.stack([scenes[index][0] for index in range(4)])
    loader: DataLoader[Any] = DataLoader(pickle.loads(pickle.dumps(StreetScenes(4, size=(32, 48)))), 4, num_workers=1)
    ((images, _),) = list(loader)
    assert torch.equal(images, alone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "positive count"),
        ({"count": 5, "labels": 6}, "1 to 5 labels"),
        ({"count": 5, "labels": 0}, "1 to 5 labels"),
        ({"count": 5, "label_noise": 1.5}, "from 0 to 1"),
        ({"count": 5, "size": (20, 20)}, "32 to 512"),
        ({"count": 5, "seed": -1}, "seed from 0"),
        ({"count": 5, "split": "valid"}, "did you mean val"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        StreetScenes(**arguments)
