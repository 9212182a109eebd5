from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from pupil.engine.speed import milliseconds_per_image
from pupil.tasks.segmentation import SegmentationTask

TASK = SegmentationTask(["road", "car"])


class Slow(nn.Conv2d):
    """Takes ten milliseconds longer, and keeps what it was shown."""

    def __init__(self, seconds: float) -> None:
        super().__init__(3, 2, 1)
        self.seconds = seconds
        self.asked: list[tuple[bool, torch.Size]] = []

    def forward(self, image: Tensor) -> Tensor:
        time.sleep(self.seconds)
        self.asked.append((self.training, image.shape))
        return super().forward(image)


def test_networks_take_turns_in_evaluation_mode_on_images_of_one_size() -> None:
    networks = {"slow": Slow(0.01).train(), "quick": Slow(0.0).eval()}
    images = [torch.zeros(3, 6, 8), torch.zeros(3, 6, 8), torch.zeros(3, 5, 5)]
    found = milliseconds_per_image(networks, TASK, images, rounds=3)
    # Ten milliseconds for the two images of the batch.
    assert 5.0 <= found["slow"] > found["quick"] > 0.0
    for network in networks.values():
        assert network.asked == [(False, torch.Size((2, 3, 6, 8)))] * 4
    assert networks["slow"].training
    assert not networks["quick"].training
