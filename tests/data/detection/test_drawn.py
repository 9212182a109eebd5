"""Drawn scenes as detection data: boxes around what is seen, and a scene is the same whenever it is asked for."""

from __future__ import annotations

import pytest
import torch

from pupil.data.detection.drawn import DrawnBoxes
from pupil.errors import UsageError


def test_boxes_hold_the_pixels_of_their_things_unless_they_are_far() -> None:
    drawn = DrawnBoxes(12)
    seen = left_out = 0
    for index in range(len(drawn)):
        image, target = drawn[index]
        scene = drawn.scenes.scene(index)
        assert image.shape == (3, 64, 96)
        assert target["boxes"].canvas_size == (64, 96)
        numbers = [
            row for row, (left, top, right, bottom) in enumerate(scene.boxes) if max(right - left, bottom - top) >= 4
        ]
        left_out += len(scene.boxes) - len(numbers)
        assert target["boxes"].tolist() == scene.boxes[numbers].tolist()
        for row, (left, top, right, bottom) in enumerate(target["boxes"].int().tolist()):
            pixels = scene.instances[top:bottom, left:right] == numbers[row] + 1
            assert pixels.sum() == target["area"][row] == (scene.instances == numbers[row] + 1).sum()
            assert all(edge.any() for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
            seen += 1
        names = [drawn.classes[label - 1] for label in target["labels"]]
        assert len(names) == len(target["boxes"])
    assert seen > 20
    assert left_out > 0
    assert len(drawn.colours) == len(drawn.classes) == 3


def test_items_repeat_and_are_not_changed_by_their_readers() -> None:
    drawn = DrawnBoxes(3)
    target = drawn[0][1]
    kept = target["boxes"].clone()
    target["boxes"].zero_()
    assert torch.equal(drawn[0][1]["boxes"], kept)
    assert torch.equal(DrawnBoxes(1)[0][0], drawn[0][0])
    assert not torch.equal(DrawnBoxes(1, split="val")[0][0], drawn[0][0])


def test_fewer_labels_and_what_cannot_be_drawn() -> None:
    assert len(DrawnBoxes(10, labels=4)) == 4
    with pytest.raises(UsageError, match="expected a height and a width from 32 to 512"):
        DrawnBoxes(1, (16, 16))
