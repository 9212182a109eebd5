"""What labels of the reader's own show at the start: classes counted from 0, and no boxes at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from pupil.data.detection.boxes import DetectionData
from pupil.data.detection.drawn import DrawnBoxes
from pupil.data.detection.formats import checked_boxes
from pupil.data.detection.remarks import LOOKED_AT, remark
from pupil.errors import UsageError


class Own:
    """An image with one box for each of these labels; None is an image without."""

    classes = ("small", "large")

    def __init__(self, labels: Sequence[int | None]) -> None:
        self.labels, self.read = labels, 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        self.read += 1
        torch.rand(1)
        label = self.labels[index]
        boxes: list[list[int]] = [] if label is None else [[0, 0, 4, 4]]
        return torch.zeros(3, 8, 8), {"boxes": boxes, "labels": [] if label is None else [label]}


def said(*labels: int | None) -> str | None:
    data: DetectionData = checked_boxes(Own(labels))
    return remark(data, "validation")


def test_labels_that_count_from_0_are_remarked_on() -> None:
    assert said(0, 1, 0, 1) == (
        "data: 2 of 4 boxes in 4 validation images have no class (label 0), 'large' has no box: labels count from 1"
    )
    assert said(0, 1, 2, 2, None) == (
        "data: 1 of 4 boxes in 5 validation images have no class (label 0): labels count from 1"
    )
    assert said(1, None) is None


def test_no_box_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="boxes of small, large in the validation images, got none in 2: label some"):
        said(None, None)
    with pytest.raises(UsageError, match=r"got 2 without a class \(label 0\) in 3: label some, from 1 for"):
        said(0, None, 0)


def test_a_few_images_of_many_are_looked_at_and_nothing_random_is_used_up() -> None:
    own = Own([None] * 10 * LOOKED_AT)
    before = torch.get_rng_state()
    assert remark(checked_boxes(own), "training") == (
        f"data: no box of small, large in {LOOKED_AT} of {10 * LOOKED_AT} training images that were looked at: "
        "labels count from 1"
    )
    assert own.read == LOOKED_AT
    assert torch.equal(before, torch.get_rng_state())


def test_drawn_scenes_are_known() -> None:
    assert remark(DrawnBoxes(4), "training") is None
