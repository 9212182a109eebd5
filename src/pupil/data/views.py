"""An item of a data set as one view of it: everything random about it follows from the view's seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from pupil.data.batches import Item
from pupil.data.images import Unreadable, rgb_array
from pupil.data.names import Names, own_names
from pupil.data.transforms import Transform
from pupil.errors import UsageError

WORKER_DIED = "DataLoader worker (pid"  # how such a message of torch's begins


class Source(Sized, Protocol):
    """Any map-style data set that gives `(image, target)`."""

    def __getitem__(self, index: int, /) -> Any: ...


class Views(Dataset[tuple[Any, Any, Tensor]]):
    """A data set asked for by `(index, view)`: the same pair gives the same result, in any process.

    The view seeds the generators of torch, numpy and Python around the access to the item and the transform, and all
    three are put back afterwards, so the data never disturbs the training's own randomness.

    Args:
        dataset: any map-style data set that gives `(image, target)`: the image a tensor (3, H, W), a PIL image or an
            array (H, W, 3); the target a mask of class ids in any of these forms, or anything else, left as it is.
        transform: a joint transform `(image, target) -> (image, target)` on torchvision's `tv_tensors`.
        skip: whether an item that cannot be read is replaced by the next one that can, as the same view, and marked in
            `bad`; by one of `dataset.replacements(index)`, a range, where there is this method. Labels that are no
            class, and a transform that fails, are mistakes that end a run all the same.

    Attributes:
        bad: which items could not be read so far, also in the workers of a loader; None without `skip`.

    Shape:
        - image: (3, H, W), float32 in [0, 1].
        - mask: (H, W), int64.
        - sample: (2,), int64: index and view, those of the item that is given.

    Raises:
        ItemError: an item that is not there or cannot be read or transformed, named; with `skip`, if none can be read.

    Example:
        >>> from pupil.data.transforms import training_transform
        >>> dataset = [(torch.rand(3, 20, 20), torch.zeros(20, 20, dtype=torch.uint8))]
        >>> views = Views(dataset, training_transform(16))
        >>> image, mask, sample = views[0, 1234]
        >>> image.shape, mask.dtype, sample.tolist()
        (torch.Size([3, 16, 16]), torch.int64, [0, 1234])
        >>> torch.equal(image, views[0, 1234][0])
        True
    """

    def __init__(self, dataset: Source, transform: Transform | None = None, *, skip: bool = False) -> None:
        self.dataset = dataset
        self.transform = transform
        # In shared memory: the workers of a loader mark what they find.
        self.bad = torch.zeros(len(dataset), dtype=torch.bool) if skip else None
        if self.bad is not None:
            self.bad.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: Item) -> tuple[Any, Any, Tensor]:
        if not isinstance(item, tuple):
            raise UsageError(
                f"expected an item (index, view), got {item!r}: load with batch_sampler=Batches(...) or in_order(...)"
            )
        index, view = item
        if not 0 <= index < len(self):
            raise ItemError(
                f"expected an item from 0 to {len(self) - 1}, got {index}: make batches of len(views) items"
            )
        if self.bad is None:
            return self._view(index, view)
        replacements = getattr(self.dataset, "replacements", None)
        places = range(len(self)) if replacements is None else replacements(index)
        broken: list[UnreadableItem] = []
        for step in range(len(places)):
            place = places[(index - places.start + step) % len(places)]
            try:
                return self._view(place, view)
            except UnreadableItem as error:
                self.bad[place] = True
                broken.append(error)
        raise ItemError(f"expected an item that can be read, got none among {len(places)}, first: {broken[0]}")

    def bad_names(self) -> list[str]:
        """The items that could not be read so far: the names that the data set gives them, or their numbers."""
        names = own_names(self.dataset)
        found = [] if self.bad is None else self.bad.nonzero().flatten().tolist()
        return [f"item {index}" if names is None else str(names[index]) for index in found]

    def _view(self, index: int, view: int) -> tuple[Any, Any, Tensor]:
        from torchvision.transforms.v2 import functional

        read = False
        try:
            with seeded(view):
                image, target = self.dataset[index]
                read = True
                image, target = as_image(image), as_target(target)
                if self.transform is not None:
                    image, target = self.transform(image, target)
                image = functional.to_dtype(image, torch.float32, scale=True)
        except Exception as error:
            # Torch tells of a worker's death from a signal handler, so from wherever this process happens to be.
            if isinstance(error, MemoryError) or str(error).startswith(WORKER_DIED):
                raise
            # What the reader's own data set raises is taken for a broken item, unless it says what is wrong.
            broken = not read
            if isinstance(error, UsageError):
                line, broken = str(error), broken and isinstance(error, Unreadable)
            else:
                reason = str(error).strip().splitlines()[:1]
                said = ": ".join([type(error).__name__, *reason])
                line = f"cannot use {Names(self.dataset)[index]}: {said}"
            raise (UnreadableItem if broken else ItemError)(line) from error
        return _plain(image), _plain(target), torch.tensor([index, view])


class ItemError(UsageError):
    """An item of a data set that cannot be used; one line also when it comes from a worker of a `DataLoader`."""

    def __init__(self, message: str) -> None:
        # A loader rebuilds a worker's error from the text of its whole traceback, which ends with our line.
        traceback, _, line = message.rstrip().rpartition(f"{__name__}.{type(self).__name__}: ")
        super().__init__(line)
        if traceback:
            self.add_note(traceback)


class UnreadableItem(ItemError):
    """An item whose file or source is at fault, which a run may survive."""


@contextmanager
def seeded(view: int) -> Iterator[None]:
    """Seeds the generators of torch (on the CPU), numpy and Python within the block, and puts them back after it.

    Example:
        >>> with seeded(7):
        ...     first = torch.rand(2), random.random()
        >>> with seeded(7):
        ...     first[0].equal(torch.rand(2)), first[1] == random.random()
        (True, True)
    """
    # numpy's global generator is legacy, and still what many transforms draw from.
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        # torch.manual_seed would also reseed the accelerators, where nothing could put the state back.
        torch.default_generator.manual_seed(view)
        np.random.seed([view & 0xFFFFFFFF, view >> 32])  # noqa: NPY002
        random.seed(view)
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])


def batched(items: Sequence[tuple[Any, Any, Tensor]]) -> tuple[Any, Any, Tensor]:
    """The items of `Views` as a batch to train on: stacked, or as lists where a target is a dict, as of detectors.

    Example:
        >>> image, target, sample = batched([(torch.zeros(3, 4, 4), {"labels": 1}, torch.tensor([0, 1]))])
        >>> type(image), target, sample
        (<class 'list'>, [{'labels': 1}], tensor([[0, 1]]))
    """
    image, target, sample = zip(*items, strict=True)
    if isinstance(target[0], dict):
        return list(image), list(target), torch.stack(sample)
    return default_collate(list(image)), default_collate(list(target)), torch.stack(sample)


def collate(items: Sequence[tuple[Any, Any, Tensor]]) -> tuple[Any, Any, Tensor]:
    """The items of `Views` as a batch to score: stacked where they are of one size, else a list in the same order.

    Pass it to a `DataLoader` as `collate_fn` where images or labels differ in size.

    Example:
        >>> small, large = torch.zeros(3, 4, 4), torch.zeros(3, 8, 8)
        >>> image, target, sample = collate([(small, 0, torch.tensor([0, 1])), (large, 1, torch.tensor([1, 1]))])
        >>> type(image), target, sample.shape
        (<class 'list'>, tensor([0, 1]), torch.Size([2, 2]))
    """
    image, target, sample = zip(*items, strict=True)
    return _together(image), _together(target), torch.stack(sample)


def as_image(image: Any) -> Any:
    """A tensor, PIL image or array as `tv_tensors.Image` (3, H, W): grey repeated, transparency dropped.

    Raises:
        UsageError: it has another shape.

    Example:
        >>> as_image(np.zeros((4, 5, 3), dtype=np.uint8)).shape
        torch.Size([3, 4, 5])
    """
    from PIL.Image import Image
    from torchvision import tv_tensors

    if isinstance(image, Image):
        image = rgb_array(image)
    if isinstance(image, np.ndarray):
        image = torch.from_numpy(image)
        image = image.permute(2, 0, 1) if image.ndim == 3 else image
    if isinstance(image, Tensor) and image.ndim == 2:
        image = image[None]
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise UsageError(f"expected an image as a tensor (3, H, W), a PIL image or an array (H, W, 3), got {got}")
    # Interpolation may overshoot a little. What is meant as bytes would be 255 times too bright, and train anyway.
    if image.is_floating_point() and image.numel():
        least, most = (float(each) for each in image.aminmax())
        if least < -0.5 or most > 1.5:
            raise UsageError(
                f"expected floats from 0 to 1 in an image, got {least:g} to {most:g}: give bytes, or divide by 255; "
                "what the network wants beyond that is its preprocessing"
            )
    return tv_tensors.Image(image.expand(3, -1, -1) if image.shape[0] == 1 else image[:3])


def as_target(target: Any) -> Any:
    """A mask of class ids in any form as `tv_tensors.Mask` (H, W), int64; any other target as it is.

    Raises:
        UsageError: a PIL image with more than one channel.

    Example:
        >>> as_target(np.zeros((4, 5), dtype=np.uint8)).dtype
        torch.int64
    """
    from PIL.Image import Image
    from torchvision import tv_tensors

    if isinstance(target, Image):
        if len(target.getbands()) > 1:
            raise UsageError(f"expected a mask with one channel of class ids, got the colour mode {target.mode}")
        target = np.array(target)
    if isinstance(target, np.ndarray):
        target = torch.from_numpy(target)
    if not isinstance(target, Tensor) or target.is_floating_point() or target.ndim < 2:
        return target
    return tv_tensors.Mask((target[0] if target.ndim == 3 and target.shape[0] == 1 else target).long())


def _together(values: Sequence[Any]) -> Any:
    tensors = all(isinstance(value, Tensor) for value in values)
    if (tensors and len({value.shape for value in values}) > 1) or isinstance(values[0], dict):
        return list(values)
    return default_collate(list(values))


def _plain(value: Any) -> Any:
    return value.as_subclass(Tensor) if isinstance(value, Tensor) else value
