"""Images with their lanes as points, wherever the files lie: what TuSimple and CULane come down to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from pupil.data.files import text_of
from pupil.data.images import read_image
from pupil.data.labelled import few
from pupil.data.lanes.points import Points
from pupil.data.palette import Colour, distinct_colours
from pupil.errors import UsageError

IGNORE_INDEX = 255


class LaneData(Protocol):
    """A map-style data set of (image, lanes), and what a task has to know about its lanes.

    Attributes:
        classes: "background", then one name a slot, left to right.
        colours: of the classes.
        ignore_index: id of pixels that count for nothing in a mask.
        rows: where predictions are to be given, as fractions of the image's height.
        metric: "tusimple", "culane" or "bdd100k".
        frame: (H, W) of the images.
    """

    @property
    def classes(self) -> Sequence[str]: ...

    @property
    def colours(self) -> Sequence[Sequence[int]]: ...

    @property
    def ignore_index(self) -> int: ...

    @property
    def rows(self) -> Sequence[float]: ...

    @property
    def metric(self) -> str: ...

    @property
    def frame(self) -> tuple[int, int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class LaneImages(Dataset[tuple[Any, Any]]):
    """A data set of image files whose lanes are points.

    Args:
        images: the image files.
        read: the lanes (S, P, 2) of an image, given its place among them and its (H, W).
        slots: S, how many lanes there may be.
        labels: keep this many images, chosen by the seed; a smaller choice is always part of a larger one.
        seed: of that choice.

    Attributes:
        classes, colours, ignore_index: see :class:`LaneData`.
        images, names: the files, and each image's name without folder and suffix.
        kept: the place of each image among those that were given.

    Shape:
        - image: (3, H, W), uint8, `tv_tensors.Image`.
        - lanes: (S, P, 2), float32, `tv_tensors.KeyPoints` of (x, y) in pixels of the image, see
          :mod:`pupil.data.lanes.points`. One without a point in the image is there: benchmarks count it.

    Raises:
        UsageError: there are fewer images than `labels`; on access to an item: a file is missing or corrupt.
    """

    ignore_index = IGNORE_INDEX
    frame: tuple[int, int]

    def __init__(
        self,
        images: Sequence[Path],
        read: Callable[[int, tuple[int, int]], Points],
        *,
        slots: int,
        labels: int | None = None,
        seed: int = 0,
    ) -> None:
        self.kept = list(range(len(images))) if labels is None else few(len(images), labels, seed)
        self.images = [images[index] for index in self.kept]
        self.names = [path.stem for path in self.images]
        self.classes, self.colours = lane_classes(slots), distinct_lanes(slots)
        self._read = read

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        image = read_image(self.images[index])
        size = (image.shape[1], image.shape[2])
        lanes = torch.from_numpy(self._read(self.kept[index], size))
        return tv_tensors.Image(image), tv_tensors.KeyPoints(lanes, canvas_size=size)

    def check_labels(self) -> None:
        """Read the lanes of every image, so that a mistake in a file shows now and not in the middle of a run.

        Raises:
            UsageError: a file of lanes is missing or malformed, or has more lanes than there are slots.
        """
        for place in self.kept:
            self._read(place, self.frame)


def lane_classes(slots: int) -> tuple[str, ...]:
    """The names of the classes.

    Example:
        >>> lane_classes(2)
        ('background', 'lane 1', 'lane 2')
    """
    return ("background", *(f"lane {number}" for number in range(1, slots + 1)))


def distinct_lanes(slots: int) -> tuple[Colour, ...]:
    """The colours of the classes; the background is black."""
    return ((0, 0, 0), *distinct_colours(slots))


def padded(lanes: dict[int, Points], slots: int, points: int) -> Points:
    """Lanes by slot as one array (S, P, 2), NaN where there is nothing.

    Example:
        >>> padded({1: np.zeros((1, 2), np.float32)}, 2, 2).tolist()
        [[[nan, nan], [nan, nan]], [[0.0, 0.0], [nan, nan]]]
    """
    array = np.full((slots, points, 2), np.nan, np.float32)
    for slot, lane in lanes.items():
        array[slot, : len(lane)] = lane
    return array


def lines_of(path: Path, what: str) -> list[str]:
    """The lines of a list of images.

    Args:
        path: the file.
        what: what it is, for the error.

    Raises:
        UsageError: there is no such file, no text in it, or nothing at all.
    """
    if not path.is_file():
        raise UsageError(f"expected {what} at {path}, got no such file: unpack the data there")
    lines = text_of(path, what, "fetch it again").splitlines()
    if not any(line.strip() for line in lines):
        raise UsageError(f"expected {what} in {path}, got an empty file: fetch it again")
    return lines
