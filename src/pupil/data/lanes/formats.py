"""Training and validation data for lanes from one text: a folder, drawn scenes, or the reader's own code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pupil.data.classes import check_ids
from pupil.data.lanes.bdd100k import BDD100K
from pupil.data.lanes.culane import CULane
from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.lane_images import IGNORE_INDEX, LaneData, LaneImages, distinct_lanes
from pupil.data.lanes.tusimple import TuSimple
from pupil.data.layouts import AUTO, fitting_layout, has_layout
from pupil.data.own_code import OwnData, from_code
from pupil.data.views import as_image, as_target
from pupil.errors import UsageError, listed, unknown

DRAWN = ("drawn", "scenes")
FORMATS: dict[str, Any] = {"tusimple": TuSimple, "culane": CULane, "bdd100k": BDD100K}
SCENES = (1200, 200)
METRICS = ("tusimple", "culane", "bdd100k")

# Drawing costs more than training a small network on what was drawn: a process draws each scene once.
drawn_lanes = lru_cache(maxsize=4)(DrawnLanes)


def lanes_data(
    spec: str,
    *,
    format: str = AUTO,
    scene_size: tuple[int, int] = (64, 96),
    scenes: tuple[int, int] = SCENES,
    labels: int | None = None,
    seed: int = 0,
) -> tuple[LaneData, LaneData]:
    """The training and the validation set that a text names.

    ==============================  ========================================================================
    ``drawn`` or ``scenes``         drawn street scenes, see :class:`pupil.data.lanes.drawn.DrawnLanes`
    ``DIR``                         a folder of TuSimple, CULane or BDD100K as it is unpacked
    ``package.module:function``     called without arguments, returns the two data sets, see :class:`LaneData`
    ==============================  ========================================================================

    Args:
        spec: the text.
        format: tusimple, culane or bdd100k; "auto" finds it.
        scene_size: (H, W) of drawn scenes, which are the same for every seed.
        scenes: how many drawn scenes there are to train and to validate on.
        labels: keep only this many training images.
        seed: which images of a folder `labels` keeps.

    Raises:
        UsageError: where there is no such data, or it is not as lane data should be.

    Example:
        >>> train, val = lanes_data("drawn", scenes=(40, 8), labels=10)
        >>> len(train), len(val), train.metric
        (10, 8, 'tusimple')
    """
    name = lanes_format(spec, format)
    if name is not None:
        return FORMATS[name](spec, "train", labels=labels, seed=seed), FORMATS[name](spec, "val")
    if spec in DRAWN:
        train: LaneData = drawn_lanes(scenes[0], scene_size, labels=labels, split="train")
        return train, drawn_lanes(scenes[1], scene_size, split="val")
    if labels is not None:
        raise UsageError(f"expected --labels with a data folder or drawn scenes, got --data {spec}: leave it out")
    own = from_code(spec)
    return checked_lanes(own[0]), checked_lanes(own[1])


def lanes_validation(
    spec: str, *, format: str = AUTO, scene_size: tuple[int, int] = (64, 96), split: str = "val"
) -> LaneData:
    """The validation set alone, or another split.

    Args:
        spec: as for :func:`lanes_data`; a folder needs no training lists here.
        format: tusimple, culane or bdd100k; "auto" finds it.
        scene_size: (H, W) of drawn scenes.
        split: of drawn scenes or a folder: val, test, or a scene of CULane's test, see
            :class:`pupil.data.lanes.culane.CULane`.

    Raises:
        UsageError: where there is no such data.
    """
    name = lanes_format(spec, format)
    if name is not None:
        found: LaneData = FORMATS[name](spec, split)
        return found
    if spec in DRAWN:
        return drawn_lanes(SCENES[1], scene_size, split=split)
    return checked_lanes(from_code(spec)[1])


def lanes_format(spec: str, format: str = AUTO) -> str | None:
    """The name of a folder's layout; None for drawn scenes and the reader's own code, which have none.

    Raises:
        UsageError: where there is no such layout, the folder has none or several, or there is no folder to have one.
    """
    if not has_layout(spec, format, FORMATS, drawn=DRAWN):
        return None
    # The one that is named says what is missing in the folder.
    return fitting_layout(Path(spec), FORMATS) if format == AUTO else format


def described(name: str, train: LaneData, val: LaneData) -> str:
    """One line on what was found in a folder.

    Example: `data: TuSimple layout, 3268 training, 358 validation images, 6 lanes`.
    """
    slots = len(train.classes) - 1
    lanes = f"{slots} lanes" if train.rows else "masks of lanes"
    return f"data: {FORMATS[name].title} layout, {len(train)} training, {len(val)} validation images, {lanes}"


def checked_lanes(dataset: Any) -> LaneData:
    """A data set of the reader's own, once it is known to say what a lane task needs; each item is checked when read.

    Raises:
        UsageError: see :class:`CheckedLanes`.
    """
    if not isinstance(dataset, LaneImages | BDD100K | DrawnLanes | CheckedLanes):
        dataset = CheckedLanes(dataset)
    found: LaneData = dataset
    return found


class CheckedLanes(OwnData):
    """A data set of the reader's own whose lanes are compared with its images and its slots when they are read.

    Args:
        dataset: map-style, of (image, lanes) or (image, mask), with the attributes of :class:`LaneData`. Its `colours`
            are distinct ones, and its `ignore_index` is 255, where it does not say.

    Raises:
        UsageError: an attribute is missing or none that a lane task knows, or there is no image; on access to an item
            with lanes of other slots, a mask of another size than its image, or ids that are no class.
    """

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset, "rows", "metric", "frame")
        if dataset.metric not in METRICS:
            raise unknown("metric", str(dataset.metric), METRICS)
        if self.classes[:1] != ("background",):
            raise UsageError(
                f'expected "background" as the first of .classes, got {listed(self.classes)}: name the lanes behind it'
            )
        self.rows: Sequence[float] = tuple(dataset.rows)
        self.metric: str = dataset.metric
        self.frame: tuple[int, int] = dataset.frame
        colours: Sequence[Sequence[int]] | None = getattr(dataset, "colours", None)
        self.colours = distinct_lanes(len(self.classes) - 1) if colours is None else colours
        ignore_index: int | None = getattr(dataset, "ignore_index", None)
        self.ignore_index = IGNORE_INDEX if ignore_index is None else ignore_index

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = self.dataset[index]
        image, target = as_image(image), as_target(target)
        slots, where = len(self.classes) - 1, self.names[index]
        shape = tuple(getattr(target, "shape", ()))
        if shape == image.shape[1:] and not target.is_floating_point():
            check_ids(target, len(self.classes), self.ignore_index, where, "name all the lanes, or set .ignore_index")
        elif len(shape) != 3 or (shape[0], shape[2]) != (slots, 2) or not target.is_floating_point():
            raise UsageError(
                f"expected lanes ({slots}, P, 2) as floats or a mask of ids {tuple(image.shape[1:])} in {where}, got "
                f"{shape or type(target).__name__}: give every slot of .classes its points, x NaN where it is empty"
            )
        return image, target
