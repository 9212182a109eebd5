"""How long networks take for an image, in one process and in turn, so that the numbers can be compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pupil.networks.modes import evaluating
from pupil.tasks.task import Task

ROUNDS = 9


def milliseconds_per_image(
    networks: Mapping[str, nn.Module], task: Task, images: Sequence[Tensor], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """The median time that each network takes to predict a batch, divided by its images; loading is not counted.

    The networks take turns, since the speed of a machine drifts, and the first turn, which allocates and chooses
    algorithms, does not count.

    Args:
        networks: by name, each on its device.
        task: predicts.
        images: (3, H, W) each; those of the first one's size make up the batch.
        rounds: turns that count.

    Example:
        >>> from pupil.tasks.segmentation import SegmentationTask
        >>> network, task = nn.Conv2d(3, 2, 1), SegmentationTask(["road", "car"])
        >>> found = milliseconds_per_image({"alone": network}, task, [torch.zeros(3, 8, 8)])
        >>> found["alone"] > 0.0
        True
    """
    batch = torch.stack([image for image in images if image.shape == images[0].shape])
    turns: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(1 + rounds):
        for name, network in networks.items():
            turns[name].append(_seconds(network, task, batch))
    return {name: 1e3 * statistics.median(found[1:]) / len(batch) for name, found in turns.items()}


def _seconds(network: nn.Module, task: Task, batch: Tensor) -> float:
    device = next(network.parameters()).device
    batch = batch.to(device)
    with evaluating(network):
        _wait_for(device)
        start = time.perf_counter()
        task.predict(network, batch)
        _wait_for(device)
        return time.perf_counter() - start


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
