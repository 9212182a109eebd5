"""A detector is counted by its head, in which the background has a channel."""

from __future__ import annotations

import pytest
from torch import nn

from pupil.errors import UsageError
from pupil.networks.background import check_background
from tasks.detection.detectors import CLASSES, KINDS, detector


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_without_the_background_is_refused(kind: str) -> None:
    model = detector(kind)
    for whole in (model, nn.Sequential(model)):
        check_background(whole, CLASSES, "mine:build")
        message = r"4 classes and the background \(5 channels\) from mine:build, got 4: .* num_classes=classes \+ 1$"
        with pytest.raises(UsageError, match=message):
            check_background(whole, CLASSES + 1, "mine:build")
    # One with a call of its own knows better, and a head of somebody's own may count otherwise.
    model.call = print
    check_background(model, CLASSES + 1, "mine:build")
    check_background(nn.Linear(1, 1), CLASSES, "mine:build")
