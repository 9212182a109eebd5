"""TuSimple as it is unpacked: clips of images, and JSON lines that say where their lanes are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeGuard

import numpy as np

from pupil.data.images import first_size
from pupil.data.lanes.lane_images import LaneImages, lines_of, padded
from pupil.data.lanes.points import Points, found
from pupil.data.lanes.slots import lane_slots
from pupil.errors import UsageError

SLOTS = 6
# The authors' split of the labelled frames by date.
SPLITS = {
    "train": ("label_data_0313.json", "label_data_0601.json"),
    "val": ("label_data_0531.json",),
    "test": ("test_label.json",),
}
PLACES = (".", "train_set", "test_set")  # where lists and clips may lie in the folder that is named


@dataclass(frozen=True)
class Record:
    """A line of a label file.

    Args:
        raw_file: the image, as the line names it.
        h_samples: the rows at which lanes are given.
        lanes: (x, y) of each lane at these rows, x NaN where it is not.
    """

    raw_file: str
    h_samples: tuple[float, ...]
    lanes: tuple[Points, ...]


class TuSimple(LaneImages):
    """`label_data_0313.json`, `label_data_0531.json`, `label_data_0601.json`, `test_label.json` and `clips`.

    Training has the dates 0313 and 0601, validation 0531, as the authors of SAD split them. A line is
    `{"raw_file": "clips/.../20.jpg", "h_samples": [160, ...], "lanes": [[-2, 632, ...], ...]}`, -2 where a lane is not.
    The labels name no slots; lanes take theirs by position, see :func:`pupil.data.lanes.slots.lane_slots`.

    Args:
        root: the folder with `clips`, or that above `train_set` and `test_set`.
        split: train, val or test.
        slots: S, how many lanes there may be.
        labels: keep this many images, see :class:`LaneImages`.
        seed: of that choice.

    Attributes:
        rows: those of the line with the most, as fractions of the height.
        records: the line of each image.

    Shape:
        - lanes: (S, P, 2). All slots name the rows of the line, y, empty ones with x NaN.

    Raises:
        UsageError: a label file or the images are missing, a line is no such record (file and line are named), or a
            record has more lanes than there are slots.
    """

    title: ClassVar[str] = "TuSimple"
    layout: ClassVar[str] = "label_data_0313.json, label_data_0531.json, label_data_0601.json and clips"
    metric: ClassVar[str] = "tusimple"

    def __init__(
        self, root: str | Path, split: str, *, slots: int = SLOTS, labels: int | None = None, seed: int = 0
    ) -> None:
        if split not in SPLITS:
            raise UsageError(f"expected train, val or test of TuSimple, got {split!r}")
        root = Path(root)
        files = [_found(root, name) or root / name for name in SPLITS[split]]
        # Of the training files one alone will do, as of data of one's own.
        there = [file for file in files if file.is_file()] or files[:1]
        records = [record for file in there for record in read_records(file)]
        if not records:
            raise UsageError(f"expected frames in {there[0]}, got an empty file")
        points = max(len(record.h_samples) for record in records)

        def read(index: int, size: tuple[int, int]) -> Points:
            return _in_slots(records[index], slots, points, size)

        images = [_image(root, there[0].parent, record.raw_file) for record in records]
        super().__init__(images, read, slots=slots, labels=labels, seed=seed)
        self.records = [records[index] for index in self.kept]
        self.names = [record.raw_file for record in self.records]
        self.frame = first_size(self.images)
        longest = max(records, key=lambda record: len(record.h_samples))
        self.rows = tuple(row / self.frame[0] for row in longest.h_samples)

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return any(_found(root, name) for names in SPLITS.values() for name in names)


def read_records(path: Path) -> list[Record]:
    """The records of a label file.

    Raises:
        UsageError: there is no such file, or a line is no such record; file and line are named.
    """
    lines = lines_of(path, "a label file of TuSimple")
    return [_record(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _record(line: str, where: str) -> Record:
    try:
        said: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"expected one JSON object in {where}, got {line[:40]!r}: {error}") from None
    if not isinstance(said, dict) or not isinstance(said.get("raw_file"), str):
        raise UsageError(
            f'expected an object with "raw_file", "h_samples" and "lanes" in {where}, got {line[:40]!r}: mend that line'
        )
    rows, lanes = said.get("h_samples"), said.get("lanes")
    if not _numbers(rows) or not isinstance(lanes, list) or not all(_numbers(lane) for lane in lanes):
        raise UsageError(
            f'expected lists of numbers as "h_samples" and each of "lanes" in {where}, got others: mend that line'
        )
    for number, lane in enumerate(lanes, start=1):
        if len(lane) != len(rows):
            raise UsageError(
                f"expected as many numbers in each lane as in h_samples, {len(rows)}, in {where}, "
                f"got {len(lane)} in lane {number}: write -2 where it is not"
            )
    return Record(said["raw_file"], tuple(rows), tuple(_points(lane, rows) for lane in lanes))


def _numbers(values: Any) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(isinstance(value, int | float) for value in values)


def _points(lane: list[float], rows: list[float]) -> Points:
    x = np.array(lane, np.float32)
    return np.stack([np.where(x < 0, np.nan, x), np.array(rows, np.float32)], axis=1).astype(np.float32)


def _in_slots(record: Record, slots: int, points: int, size: tuple[int, int]) -> Points:
    lanes = [lane for lane in record.lanes if found(lane).any()]
    try:
        places = lane_slots(lanes, slots, size)
    except UsageError as error:
        raise UsageError(f"{record.raw_file}: {error}, or read the data from Python with more slots") from None
    array = padded(dict(zip(places, lanes, strict=True)), slots, points)
    array[:, : len(record.h_samples), 1] = record.h_samples
    return array


def _found(root: Path, name: str) -> Path | None:
    return next((path for place in PLACES if (path := root / place / name).is_file()), None)


def _image(root: Path, folder: Path, raw_file: str) -> Path:
    """The image of a line, beside its label file or in one of the usual places."""
    places = (folder, *(root / place for place in PLACES))
    return next((path for place in places if (path := place / raw_file).is_file()), folder / raw_file)
