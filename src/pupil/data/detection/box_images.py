"""Images with their boxes, wherever the files lie: what every detection format comes down to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils.data import Dataset

from pupil.data.detection.boxes import Annotation, box_table
from pupil.data.files import check_present, text_of
from pupil.data.images import SUFFIXES, Unreadable, image_size, read_image
from pupil.data.labelled import few
from pupil.data.palette import distinct_colours
from pupil.errors import UsageError, listed

Size = tuple[int, int]
# What splits are called in exports of several tools.
SPLIT_NAMES = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}


class BoxImages(Dataset[tuple[Any, Any]]):
    """A data set of image files whose objects have boxes; all annotations are read and checked here, once.

    Boxes that reach out of their image are cut; those without area are left out.

    Args:
        images: the image files.
        files: where the annotation of each comes from.
        read: that annotation, given the image's place among them and its (H, W).
        classes: their names, without the background.
        sizes: (H, W) of each image, where it is known; else from the files' headers.
        ignored: whether boxes that are not to train on are in the targets.
        labels: keep this many images, chosen by the seed; a smaller choice is always part of a larger one.
        seed: of that choice.
        strict: whether a box without area, or outside its image, is refused.
        skip: whether an image whose size cannot be read is left out; without its size its boxes cannot be checked.

    Attributes:
        classes, colours, metric: see :class:`pupil.data.detection.boxes.DetectionData`.
        images, names: the files, and each image's name without folder and suffix.
        kept: the place of each image among those that were given.
        left_out: the images whose labels `labels` left out.
        unreadable: those that `skip` left out.
        mended: how many boxes were cut or left out, see :class:`pupil.data.detection.boxes.Mended`.

    Raises:
        UsageError: there are fewer images than `labels`; an image is missing or corrupt; what `read` raises; on access
            to an item: the image has another size than was said.
    """

    metric: ClassVar[str]

    def __init__(
        self,
        images: Sequence[Path],
        files: Sequence[object],
        read: Callable[[int, Size], Annotation],
        classes: Sequence[str],
        *,
        sizes: Sequence[Size] | None = None,
        ignored: bool = False,
        labels: int | None = None,
        seed: int = 0,
        strict: bool = False,
        skip: bool = False,
    ) -> None:
        kept = list(range(len(images))) if labels is None else few(len(images), labels, seed)
        self.left_out = [images[place] for place in sorted({*range(len(images))}.difference(kept))]
        check_present([images[place] for place in kept])
        known = [sizes[place] for place in kept] if sizes else _sizes([images[place] for place in kept], skip)
        found = dict(zip(kept, known, strict=True))
        self.kept = [place for place, size in found.items() if size is not None]
        self._sizes = [size for size in found.values() if size is not None]
        self.images = [images[place] for place in self.kept]
        self.unreadable = [images[place] for place, size in found.items() if size is None]
        self.names = [path.stem for path in self.images]
        self.classes, self.colours = tuple(classes), distinct_colours(len(classes))
        self._table, self.mended = box_table(
            [read(place, size) for place, size in zip(self.kept, self._sizes, strict=True)],
            self._sizes,
            [files[place] for place in self.kept],
            ignored=ignored,
            strict=strict,
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        index = range(len(self))[index]
        image, size = read_image(self.images[index]), self._sizes[index]
        if tuple(image.shape[1:]) != size:
            raise UsageError(
                f"expected {self.images[index]} to have the size that its labels say, {size[1]}x{size[0]}, "
                f"got {image.shape[2]}x{image.shape[1]}: the boxes are those of another image, or one that was resized"
            )
        rows = self._table.rows(index)
        # What is handed out is a copy: a transform that works in place must not reach what is kept.
        boxes, labels = (torch.from_numpy(each[rows].copy()) for each in (self._table.boxes, self._table.labels))
        target = {"boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size), "labels": labels}
        further = {name: torch.from_numpy(values[rows].copy()) for name, values in self._table.further.items()}
        return tv_tensors.Image(image), target | further

    @property
    def objects(self) -> dict[str, int]:
        """How many boxes each class has in all images."""
        counts = np.bincount(self._table.labels, minlength=1 + len(self.classes))[1:]
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def boxes_of(self, index: int) -> int:
        """How many boxes an image has, without reading it."""
        rows = self._table.rows(range(len(self))[index])
        return int(rows.stop - rows.start)


def to_score(split: str, ignored: bool | None) -> bool:
    """Whether a split has the boxes that are not to train on, where it is not said: all but "train" have."""
    return split != "train" if ignored is None else ignored


def _sizes(images: Sequence[Path], skip: bool) -> list[Size | None]:
    def size(path: Path) -> Size | None:
        try:
            return image_size(path)
        except Unreadable:
            if not skip:
                raise
            return None

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(size, images))
    if images and not any(found):
        image_size(images[0])  # says what is wrong with it
    return found


def image_named(folder: Path, name: str, usual: str = SUFFIXES[0]) -> Path:
    """The image of a name without suffix; where there is none, with the usual one."""
    places = (folder / f"{name}{suffix}" for suffix in (*SUFFIXES, ".JPG", ".JPEG", ".PNG"))
    return next((path for path in places if path.is_file()), folder / f"{name}{usual}")


def listed_names(path: Path) -> list[str]:
    """The first word of each line of a list of images.

    Raises:
        UsageError: there is no such file, or nothing in it.
    """
    if not path.is_file():
        raise no_list(path, [path.parent])
    names = [line.split()[0] for line in text_of(path, "a list of images").splitlines() if line.strip()]
    if not names:
        raise UsageError(f"expected images in the list {path}, got an empty file: name one a line")
    return names


def no_list(path: Path, folders: Sequence[Path]) -> UsageError:
    """The error for a list of images that is not there: it names the lists that these folders have."""
    names = {each.stem for folder in folders for each in folder.glob("*.txt")}
    # VOC has a list for each class as well, such as aeroplane_train.
    splits = sorted(name for name in names if name.rpartition("_")[2] not in names - {name})
    if not splits:
        return UsageError(f"expected a list of images at {path}, got no such file: unpack it there")
    return UsageError(
        f"expected a list of images at {path}, got lists of {listed(splits, 8)} alone: choose one of these splits, "
        "or write that list"
    )
