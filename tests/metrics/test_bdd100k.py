from __future__ import annotations

import numpy as np
import pytest

from pupil.errors import UsageError
from pupil.metrics import bdd100k_scores


def test_worked_by_hand() -> None:
    """Three of four lane pixels are found, and two pixels too many: 3/4 and 3/6."""
    target = np.zeros((3, 4), np.uint8)
    target[1] = 255
    prediction = np.array([[0, 0, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]])
    assert bdd100k_scores(prediction, target) == (0.75, 0.5)


def test_labels_of_any_kind_say_the_same() -> None:
    target = np.array([[0, 255, 255]], np.uint8)
    for other in (target > 0, target // 255, target.astype(float)):
        assert bdd100k_scores(target > 0, other) == (1.0, 1.0)


def test_an_image_without_lane_pixels_scores_nothing_either_way() -> None:
    empty, lane = np.zeros((2, 2)), np.ones((2, 2))
    assert bdd100k_scores(empty, empty) == bdd100k_scores(lane, empty) == bdd100k_scores(empty, lane) == (0.0, 0.0)


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match=r"masks of one shape, got \(2, 2\) and \(4, 4\): resize"):
        bdd100k_scores(np.zeros((2, 2)), np.zeros((4, 4)))
