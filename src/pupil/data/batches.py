"""Which items make up each batch of a run, and which view of each: a function of (seed, step) and nothing else.

An item is `(index, view)`: its place in the data set, and the seed of everything random that happens to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from pupil.errors import UsageError

Item = tuple[int, int]
# Makes the batch sampler of a run, with the arguments of `Batches`.
MakeBatches = Callable[..., Sampler[list[Item]]]


class Batches(Sampler[list[Item]]):
    """Every batch of a run, across its epochs, for `DataLoader(Views(dataset), batch_sampler=Batches(...))`.

    Each epoch is a permutation of the data set drawn from (seed, epoch), and the epochs follow one another without a
    gap: every batch is full, and every image is seen exactly once per epoch. The views are drawn beside the
    permutation. A run continued at step `first` therefore sees what the unbroken run would have seen, without
    reading what came before, and two runs with equal seeds see the same views of the same images.

    Args:
        count: the number of items in the data set.
        batch_size: items per step, over all ranks together.
        steps: the number of batches of the whole run.
        seed: of the permutations and the views.
        first: the batch to begin with, where a run is continued.
        rank: which process this is.
        world: how many processes share a batch; each takes an equal slice of it.
        stream: two streams of one seed have nothing in common.

    Raises:
        UsageError: there are no items, or the batch cannot be shared equally among the processes.

    Example:
        >>> whole = Batches(6, 2, steps=9, seed=0)
        >>> epoch = [index for batch in list(whole)[:3] for index, view in batch]
        >>> sorted(epoch)
        [0, 1, 2, 3, 4, 5]
        >>> list(Batches(6, 2, steps=9, seed=0, first=4)) == list(whole)[4:]
        True
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        steps: int,
        seed: int,
        first: int = 0,
        rank: int = 0,
        world: int = 1,
        stream: int = 0,
    ) -> None:
        _check(count, batch_size, rank, world)
        if steps < 0 or first < 0:
            raise UsageError(f"expected steps and first batch of at least 0, got {steps} and {first}")
        if seed < 0:
            raise UsageError(f"expected a seed of at least 0, got {seed}")
        self.count, self.batch_size, self.steps, self.seed = count, batch_size, steps, seed
        self.first, self.rank, self.world, self.stream = first, rank, world, stream

    def __len__(self) -> int:
        """The number of batches that remain."""
        return max(self.steps - self.first, 0)

    def __iter__(self) -> Iterator[list[Item]]:
        share = self.batch_size // self.world
        drawn, order, views = -1, np.empty(0, np.int64), np.empty(0, np.int64)
        for step in range(self.first, self.steps):
            items: list[Item] = []
            place = step * self.batch_size + self.rank * share
            while len(items) < share:
                epoch, start = divmod(place + len(items), self.count)
                if epoch != drawn:
                    drawn, (order, views) = epoch, self._epoch(epoch)
                part = slice(start, start + share - len(items))
                items += zip(order[part].tolist(), views[part].tolist(), strict=True)
            yield items

    def _epoch(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order of the items in one epoch, and the view of each in that order."""
        random = self._random(epoch)
        views = self._views(random)
        return random.permutation(self.count), views

    def _random(self, epoch: int) -> np.random.Generator:
        """What one epoch is drawn with."""
        key = (epoch, self.stream) if self.stream else (epoch,)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def _views(self, random: np.random.Generator) -> NDArray[np.int64]:
        """A view for each place of an epoch."""
        return random.integers(0, np.iinfo(np.int64).max, self.count, endpoint=True)


class MixedBatches(Sampler[list[Item]]):
    """Every batch of a run over a data set of two parts, with a fixed share of each batch from the second.

    Each part is gone through in its own order and at its own pace, with :class:`Batches`; a batch holds the items of
    the first part before those of the second. All that is said there of seeds, steps, resuming and processes holds.

    Args:
        count: the number of items in the data set, both parts together.
        batch_size: items per step, over all ranks together.
        second: how many items, the last ones of the data set, make up the second part.
        share: of the second part in a batch, rounded to whole items.
        steps, seed, first, rank, world: as for :class:`Batches`.

    Raises:
        UsageError: a part has no items or no place in the batch, or cannot be shared equally among the processes.

    Example:
        >>> batches = MixedBatches(10, 4, second=7, share=0.5, steps=2, seed=0)
        >>> [[index >= 3 for index, view in batch] for batch in batches]
        [[False, False, True, True], [False, False, True, True]]
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        second: int,
        share: float,
        steps: int,
        seed: int,
        first: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        part = round(batch_size * share)
        if not 0 < part < batch_size or part % world or (batch_size - part) % world:
            raise UsageError(
                f"expected a batch of labelled and unlabelled images that {world} process(es) can share equally, got "
                f"{batch_size - part} and {part} of {batch_size}: change the batch size or the unlabelled share"
            )
        self.offset = count - second
        where = {"steps": steps, "seed": seed, "first": first, "rank": rank, "world": world}
        self.parts = (
            Batches(self.offset, batch_size - part, **where),
            Batches(second, part, stream=1, **where),
        )

    def __len__(self) -> int:
        """The number of batches that remain."""
        return len(self.parts[0])

    def __iter__(self) -> Iterator[list[Item]]:
        for ours, theirs in zip(*self.parts, strict=True):
            yield [*ours, *((self.offset + index, view) for index, view in theirs)]


def in_order(count: int, batch_size: int, *, rank: int = 0, world: int = 1) -> list[list[Item]]:
    """Every item once, in order and always as the same view (0): the batches of an evaluation.

    The last batch may be smaller. Where processes share the work, every item belongs to exactly one of them, none is
    doubled, and a process may have one batch more than another.

    Args:
        count: the number of items in the data set.
        batch_size: items per batch, over all ranks together.
        rank: which process this is.
        world: how many processes share the work.

    Raises:
        UsageError: there are no items, or the batch cannot be shared equally among the processes.

    Example:
        >>> in_order(3, 2)
        [[(0, 0), (1, 0)], [(2, 0)]]
    """
    _check(count, batch_size, rank, world)
    own, share = range(rank, count, world), batch_size // world
    return [[(index, 0) for index in own[start : start + share]] for start in range(0, len(own), share)]


def _check(count: int, batch_size: int, rank: int, world: int) -> None:
    if count < 1:
        raise UsageError(f"expected a data set with at least one item, got {count}")
    if not 0 <= rank < world:
        raise UsageError(f"expected a rank from 0 to {world - 1} among {world} processes, got {rank}")
    if batch_size < 1 or batch_size % world:
        raise UsageError(
            f"expected a batch size that {world} process(es) can share equally, got {batch_size}: "
            f"pass a multiple of {world}"
        )
