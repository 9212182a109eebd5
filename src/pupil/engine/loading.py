"""The training images of a run, part by part, on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from pupil.data.batches import Batches, Item, MakeBatches
from pupil.data.mixing import Mix
from pupil.data.nested import moved
from pupil.data.views import Views, batched
from pupil.engine.interrupts import leave_interrupts_to_the_trainer
from pupil.engine.options import Training
from pupil.engine.processes import share_marks
from pupil.engine.stepper import Batch
from pupil.errors import UsageError

TRIAL_BATCHES = 8
MIXING = 2  # a stream of random numbers beside those of the batches


class Loading:
    """What each step of a run is to see: a function of (seed, step), whatever the number of workers.

    Args:
        views: the data set.
        options: batch size, parts of a step, seed and workers.
        accelerator: the device, and this process's share of each batch.
        batches: makes the batch sampler, with the arguments of `Batches`.
        mix: mixes the images and targets of each part, on the device.
    """

    def __init__(
        self,
        views: Views,
        options: Training,
        accelerator: Accelerator,
        batches: MakeBatches = Batches,
        mix: Mix | None = None,
    ) -> None:
        self.views = views
        self.options = options
        self.accelerator = accelerator
        self.batches = batches
        self.mix = mix

    def bad(self) -> Tensor | None:
        """Which images could not be read so far, in any process; every process asks."""
        if self.views.bad is not None:
            share_marks(self.views.bad, self.accelerator)
        return self.views.bad

    def bad_names(self) -> list[str]:
        """The same by name."""
        self.bad()
        return self.views.bad_names()

    def steps(self, first: int) -> Iterator[list[Batch]]:
        """The parts of each step, beginning with any one of them."""
        stream = self._stream(first, self.options.workers)
        while parts := list(islice(stream, self.options.accumulate)):
            yield parts

    def trial(self, first: int) -> Iterator[Batch]:
        """Some of the parts that come next, to measure something before they are trained on."""
        stream = self._stream(first, workers=0)
        for _ in range(TRIAL_BATCHES):
            # The precision in which they are tried is no matter of transforms, of which some multiply matrices.
            with torch.autocast("cpu", enabled=False):
                batch = next(stream, None)
            if batch is None:
                return
            yield batch

    def _stream(self, first: int, workers: int) -> Iterator[Batch]:
        device = self.accelerator.device
        whole = self.batches(
            len(self.views),
            self.options.batch_size,
            steps=self.options.steps,
            seed=self.options.seed,
            first=first,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
        )
        loader = DataLoader(
            self.views,
            batch_sampler=Parts(whole, self.options.accumulate),
            num_workers=workers,
            collate_fn=batched,
            pin_memory=device.type == "cuda",
            worker_init_fn=leave_interrupts_to_the_trainer,
            # A generator of its own: the loader would otherwise draw from the training's.
            generator=torch.Generator(),
        )
        for place, (image, target, sample) in enumerate(loader, start=first * self.options.accumulate):
            image, target = moved(image, device), moved(target, device)
            if self.mix is not None:
                image, target = self.mix(image, target, self._random(place))
            yield image, target, sample

    def _random(self, place: int) -> np.random.Generator:
        """What this process draws for one part of the run, wherever the run is begun."""
        key = (MIXING, place, self.accelerator.process_index)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.options.seed, spawn_key=key)))


class Parts(Sampler[list[Item]]):
    """The batches of a sampler, each dealt out among so many parts, so that a batch of two kinds stays one in each.

    Args:
        batches: what a sampler gives.
        count: parts of a batch.

    Raises:
        UsageError: on iteration: a batch that cannot be dealt out equally.

    Example:
        >>> list(Parts([["labelled", "labelled", "unlabelled", "unlabelled"]], 2))
        [['labelled', 'unlabelled'], ['labelled', 'unlabelled']]
    """

    def __init__(self, batches: Iterable[list[Item]], count: int) -> None:
        self.batches, self.count = batches, count

    def __iter__(self) -> Iterator[list[Item]]:
        for items in self.batches:
            if len(items) % self.count:
                raise UsageError(
                    f"expected a batch that {self.count} parts can share equally, got {len(items)} images in each "
                    "process: change --batch-size or --accumulate"
                )
            yield from (items[part :: self.count] for part in range(self.count))
