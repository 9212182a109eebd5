"""The same scenes through several networks."""

from __future__ import annotations

import pytest
import torch

from pupil.models import load_model
from pupil.recipes.pictures import same_scenes
from pupil.tasks.segmentation import SegmentationTask

TASK = SegmentationTask(["road", "car"], colours=[(0, 0, 200), (200, 0, 0)])


def scenes(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        (torch.full((3, 16, 16 + index), index).byte(), torch.ones(16, 16 + index).byte()) for index in range(count)
    ]


@pytest.mark.parametrize(("there", "asked", "shown"), [(9, 4, [0, 3, 6]), (8, 4, [0, 2, 4, 6]), (2, 4, [0, 1])])
def test_a_few_scenes_are_spread_over_the_data(there: int, asked: int, shown: list[int]) -> None:
    found = same_scenes(scenes(there), TASK, {}, count=asked)
    assert [int(each["image"][0, 0, 0]) for each in found] == shown


def test_each_scene_goes_through_every_network_at_its_own_size() -> None:
    networks = {name: load_model("pupil:tiny", 2, seed=seed) for seed, name in enumerate(("teacher", "kd"))}
    for index, pictures in enumerate(same_scenes(scenes(2), TASK, networks)):
        assert list(pictures) == ["image", "labels", "teacher", "kd"]
        assert {tuple(picture.shape) for picture in pictures.values()} == {(3, 16, 16 + index)}
        assert {picture.dtype for picture in pictures.values()} == {torch.uint8}
        red, _, blue = pictures["labels"].float().mean((1, 2))
        assert red > blue
