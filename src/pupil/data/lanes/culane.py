"""CULane as it is unpacked: lists of images, and beside each image the points of its lanes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from pupil.data.images import Unreadable, first_size
from pupil.data.lanes.lane_images import LaneImages, lines_of, padded
from pupil.data.lanes.points import Points
from pupil.data.lanes.slots import bottom, lane_slots, ranks
from pupil.errors import UsageError, unknown

SLOTS = 4
POINTS = 590  # at most one a row; the benchmark's lanes have one every 10
HEIGHT = 590
ROWS = tuple(row / HEIGHT for row in range(249, HEIGHT, 20))
SCENES = ("normal", "crowd", "hlight", "shadow", "noline", "arrow", "curve", "cross", "night")
LISTS = {
    "train": "train_gt.txt",
    "val": "val_gt.txt",
    "test": "test.txt",
    **{scene: f"test_split/test{number}_{scene}.txt" for number, scene in enumerate(SCENES)},
}


class CULane(LaneImages):
    """`list/train_gt.txt`, `list/val_gt.txt`, `list/test.txt`, `list/test_split/...`, and `X.lines.txt` beside `X.jpg`.

    A line of a `..._gt.txt` names the image, a mask, which is not needed, and which of the four slots have a lane;
    these go to the lanes from left to right. Where there are no such flags, or more or fewer than lanes, lanes take
    their slots by position.

    Args:
        root: the folder of `list`.
        split: train, val, test, or a kind of scene in test: normal, crowd, hlight, shadow, noline, arrow, curve, cross,
            night.
        labels: keep this many images, see :class:`LaneImages`.
        seed: of that choice.

    Attributes:
        rows: 249, 269, ..., 589 of 590.

    Raises:
        UsageError: a list is missing or a line of it is malformed; on access to an item: a line of its lanes is, or
            there are more lanes than slots. File and line are named.
    """

    title: ClassVar[str] = "CULane"
    layout: ClassVar[str] = "list/train_gt.txt with X.lines.txt beside each image"
    metric: ClassVar[str] = "culane"
    rows: ClassVar[tuple[float, ...]] = ROWS

    def __init__(self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0) -> None:
        root = Path(root)
        if split not in LISTS:
            raise unknown("split of CULane", split, LISTS)
        path = root / "list" / LISTS[split]
        listed = [
            _listed(line, root, f"{path}, line {number}")
            for number, line in enumerate(lines_of(path, "a list of images"), start=1)
            if line.strip()
        ]
        images = [image for image, _ in listed]

        def read(index: int, size: tuple[int, int]) -> Points:
            image, flagged = listed[index]
            return _in_slots(image.with_suffix(".lines.txt"), flagged, size)

        super().__init__(images, read, slots=SLOTS, labels=labels, seed=seed)
        self.names = [str(image.relative_to(root)) for image in self.images]
        self.frame = first_size(self.images)

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return any((root / "list" / LISTS[split]).is_file() for split in ("train", "val", "test"))


def read_lanes(path: Path) -> list[Points]:
    """The lanes of a file, `x y x y ...` a line; x may lie outside the image.

    Raises:
        UsageError: there is no such file, or a line is malformed; file and line are named.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"cannot read {path}: expected the lanes of its image ({error})") from None
    return [_lane(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _lane(line: str, where: str) -> Points:
    try:
        values = np.array([float(word) for word in line.split()], np.float32)
    except ValueError:
        raise Unreadable(f"expected numbers in {where}, got {line[:40]!r}: mend that line") from None
    if len(values) % 2 or len(values) > 2 * POINTS or not np.isfinite(values).all():
        raise Unreadable(
            f"expected pairs x y of at most {POINTS} points in {where}, got {len(values)} numbers: mend that line"
        )
    return values.reshape(-1, 2)


def _listed(line: str, root: Path, where: str) -> tuple[Path, list[int]]:
    """The image of a line, and the slots that have a lane where it says so."""
    image, *rest = line.split()
    flags = rest[1:]
    if any(flag not in ("0", "1") for flag in flags):
        raise UsageError(f"expected an image, a mask and flags 0 or 1 in {where}, got {line[:60]!r}: mend that line")
    return root / image.lstrip("/"), [slot for slot, flag in enumerate(flags) if flag == "1"]


def _in_slots(path: Path, flagged: list[int], size: tuple[int, int]) -> Points:
    lanes = read_lanes(path)
    if len(flagged) == len(lanes) and all(slot < SLOTS for slot in flagged):
        order = ranks([bottom(lane, size[0] - 1) for lane in lanes])
        places = [flagged[rank] for rank in order]
    else:
        try:
            places = lane_slots(lanes, SLOTS, size)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
    return padded(dict(zip(places, lanes, strict=True)), SLOTS, POINTS)
