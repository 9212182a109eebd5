"""Scores of a network on a data set, counted at the label's own resolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pupil.data.batches import in_order
from pupil.data.nested import moved
from pupil.data.views import Source, Views, collate
from pupil.engine.interrupts import leave_interrupts_to_the_trainer
from pupil.networks.modes import evaluating
from pupil.tasks.task import Task


@torch.no_grad()
def evaluate(
    model: nn.Module,
    task: Task,
    dataset: Source,
    *,
    batch_size: int = 16,
    workers: int = 0,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
) -> dict[str, float]:
    """The task's metrics of a network on every item of a data set.

    The network runs in evaluation mode and gets its training flags back. Images may differ in size.

    Args:
        model: the network.
        task: predicts and counts.
        dataset: map-style data set of (image, target).
        batch_size: images at once, over all processes together.
        workers: processes that load data.
        device: where the network is.
        rank: which process this is.
        world: how many processes share the work; the metrics gather what each has counted.

    Returns:
        The metrics by name.
    """
    scores = task.metrics()
    loader = DataLoader(
        Views(dataset),
        batch_sampler=in_order(len(dataset), batch_size, rank=rank, world=world),
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=leave_interrupts_to_the_trainer,
        # A generator of its own: the loader would otherwise draw from the training's.
        generator=torch.Generator(),
    )
    with evaluating(model):
        for batch, labels, _ in loader:
            for images, targets in _alike(batch, labels):
                scores.update(task.predict(model, moved(images, device)), moved(targets, device))
    return dict(scores.compute())


def _alike(images: Any, targets: Any) -> Iterator[tuple[Any, Any]]:
    """A batch of one size as it is, one of several sizes image by image; detectors take any sizes at once."""
    if isinstance(targets, list) and isinstance(targets[0], dict):
        yield list(images), targets
    elif isinstance(images, Tensor) and isinstance(targets, Tensor):
        yield images, targets
    else:
        yield from ((image[None], target[None]) for image, target in zip(images, targets, strict=True))
