"""Images with a mask of class ids each, wherever their files lie: what every segmentation format comes down to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pupil.data.classes import Classes, check_ids
from pupil.data.files import check_present
from pupil.data.images import Unreadable, image_size, read_image
from pupil.data.masks import PLAIN, Ids, MaskReader
from pupil.data.memory import ROOM, Memory
from pupil.errors import UsageError


class LabelledImages(Dataset[tuple[Any, Any]]):
    """A data set of image files and mask files.

    That every mask has the size of its image is checked here, once, from the files' headers; a file without a readable
    one is noted, and raises when it is read. The ids in a mask are checked whenever it is read.

    Args:
        images: the image files.
        masks: the mask of each.
        meaning: what the ids mean.
        reader: how a mask file becomes class ids; as it stands it is a single-channel file whose values they are.
        labels: keep this many images, chosen by the seed; a smaller choice is always part of a larger one.
        seed: of that choice.
        cache: whether to keep decoded images in memory, up to 1 GiB in each process.

    Attributes:
        classes, colours, ignore_index: what the ids mean.
        images, masks, names: the files, and each image's name without folder and suffix.
        left_out: the images whose labels `labels` left out.
        broken: what is wrong with each file whose header cannot be read.

    Shape:
        - image: (3, H, W), uint8, `tv_tensors.Image`.
        - mask: (H, W), int64, `tv_tensors.Mask`.

    Raises:
        UsageError: a file is not there, sizes differ, or there are fewer images than `labels`; on access to an item: a
            file of it is corrupt, or its mask holds ids that are no class.
    """

    def __init__(
        self,
        images: Sequence[Path],
        masks: Sequence[Path],
        meaning: Classes,
        *,
        reader: MaskReader = PLAIN,
        labels: int | None = None,
        seed: int = 0,
        cache: bool = False,
    ) -> None:
        kept = range(len(images)) if labels is None else few(len(images), labels, seed)
        self.images, self.masks = [images[i] for i in kept], [masks[i] for i in kept]
        self.left_out = [images[i] for i in sorted({*range(len(images))}.difference(kept))]
        self.names = [path.stem for path in self.images]
        self.classes, self.colours, self.ignore_index = meaning.names, meaning.colours, meaning.ignore_index
        self._reader = reader
        check_present(self.images)
        check_present(self.masks, "mask")
        self.broken = _check_sizes(self.images, self.masks, reader)
        self._items = Memory(self._read, ROOM if cache else 0)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        image, ids = self._items(index)
        # A transform that works in place must not reach what is kept; the mask is copied as it becomes int64.
        return tv_tensors.Image(image.clone()), tv_tensors.Mask(torch.from_numpy(ids.astype(np.int64)))

    def check_labels(self) -> None:
        """Read every mask, so that a mistake in one shows now and not in the middle of a run.

        Raises:
            UsageError: a mask is corrupt or holds ids that are no class, or an image has no readable header.
        """
        if self.broken:
            raise self.broken[0]
        with ThreadPoolExecutor(4) as pool:  # decoding leaves the interpreter's lock
            list(pool.map(self._read_mask, self.masks))

    def _read_mask(self, mask: Path) -> Ids:
        ids = self._reader.read(mask)
        remedy = "pass --ignore-index if such an id means unlabelled, name all the classes, or mend the mask"
        check_ids(ids, len(self.classes), self.ignore_index, mask, remedy)
        return ids

    def _read(self, index: int) -> tuple[Tensor, Ids]:
        path, mask = self.images[index], self.masks[index]
        image, ids = read_image(path), self._read_mask(mask)
        _check_size(path, mask, image.shape[1:], ids.shape)
        return image, ids


def few(count: int, labels: int, seed: int) -> list[int]:
    """Which of the labelled images are kept where fewer are asked for; a smaller choice is part of a larger one."""
    if not 1 <= labels <= count:
        raise UsageError(f"expected from 1 to {count} labelled images, as many as there are, got {labels}")
    return sorted(np.random.default_rng(seed).permutation(count)[:labels].tolist())


def _check_sizes(images: Sequence[Path], masks: Sequence[Path], reader: MaskReader) -> list[Unreadable]:
    """Refuse a mask of another size than its image; what is wrong with the pairs that have no size to compare."""

    def compared(image: Path, mask: Path) -> Unreadable | None:
        try:
            own, other = image_size(image), reader.size(mask)
        except Unreadable as error:
            return error
        if other is not None:
            _check_size(image, mask, own, other)
        return None

    with ThreadPoolExecutor(8) as pool:
        return [error for error in pool.map(compared, images, masks) if error]


def _check_size(image: Path, mask: Path, own: Sequence[int], other: Sequence[int]) -> None:
    if tuple(own) != tuple(other):
        raise UsageError(
            f"expected the mask {mask} to have the size of its image {image.name}, {own[1]}x{own[0]}, "
            f"got {other[1]}x{other[0]}"
        )
