"""Training and validation data for lanes from one text: a folder, drawn scenes, or the reader's own code."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pupil.data.lanes.bdd100k import BDD100K
from pupil.data.lanes.culane import CULane
from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.lane_images import LaneData
from pupil.data.lanes.tusimple import TuSimple
from pupil.data.own_code import from_code, is_code
from pupil.errors import UsageError, listed, unknown

AUTO = "auto"
DRAWN = ("drawn", "scenes")
FORMATS: dict[str, Any] = {"tusimple": TuSimple, "culane": CULane, "bdd100k": BDD100K}
NAMES = (AUTO, *FORMATS)
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
    return _own(spec)


def lanes_validation(
    spec: str, *, format: str = AUTO, scene_size: tuple[int, int] = (64, 96), split: str = "val"
) -> LaneData:
    """The validation set alone.

    Args:
        spec: as for :func:`lanes_data`; a folder needs no training lists here.
        format: tusimple, culane or bdd100k; "auto" finds it.
        scene_size: (H, W) of drawn scenes.
        split: of a folder: val, test, or a scene of CULane's test, see :class:`pupil.data.lanes.culane.CULane`.

    Raises:
        UsageError: where there is no such data.
    """
    name = lanes_format(spec, format)
    if name is not None:
        found: LaneData = FORMATS[name](spec, split)
        return found
    if spec in DRAWN:
        return drawn_lanes(SCENES[1], scene_size, split=split)
    return _own(spec)[1]


def lanes_format(spec: str, format: str = AUTO) -> str | None:
    """The name of a folder's layout; None for drawn scenes and the reader's own code, which have none.

    Raises:
        UsageError: where there is no such layout, the folder has none or several, or there is no folder to have one.
    """
    root = Path(spec)
    if format not in NAMES:
        raise unknown("format", format, NAMES)
    if spec in DRAWN or is_code(spec):
        if format != AUTO:
            raise UsageError(f"expected --format with a data folder alone, got --data {spec}: leave it out")
        return None
    if not root.is_dir():
        raise UsageError(f"expected a folder of data at {root}, got nothing there: pass --data DIR")
    fitting = [name for name, kind in FORMATS.items() if format in (AUTO, name) and kind.fits(root)]
    if len(fitting) > 1:
        raise UsageError(f"expected one layout in {root}, got those of {listed(fitting)}: choose one with --format")
    if not fitting and format != AUTO:
        return format  # which says what is missing
    if not fitting:
        looked = "; ".join(f"{kind.layout} ({name})" for name, kind in FORMATS.items())
        there = sorted(path.name for path in root.iterdir())
        raise UsageError(f"expected one of these in {root}: {looked}; got {listed(there, 8) or 'an empty folder'}")
    return fitting[0]


def described(name: str, train: LaneData, val: LaneData) -> str:
    """One line on what was found in a folder.

    Example: `data: TuSimple layout, 3268 training, 358 validation images, 6 lanes`.
    """
    slots = len(train.classes) - 1
    lanes = f"{slots} lanes" if train.rows else "masks of lanes"
    return f"data: {FORMATS[name].title} layout, {len(train)} training, {len(val)} validation images, {lanes}"


def checked_lanes(dataset: Any) -> LaneData:
    """A data set of the reader's own, once it is known to say what a lane task needs; colours are optional.

    Raises:
        UsageError: an attribute is missing, or there is no image.
    """
    kind = type(dataset).__name__
    for name in ("classes", "rows", "metric", "frame"):
        if getattr(dataset, name, None) is None:
            raise UsageError(f"expected your data sets to have .{name}, got none: set it on {kind}, see LaneData")
    if dataset.metric not in METRICS:
        raise unknown("metric", str(dataset.metric), METRICS)
    if not len(dataset):
        raise UsageError(f"expected at least one image in your data sets, got an empty {kind}: check what it reads")
    if dataset.classes[:1] != type(dataset.classes)(["background"]):
        raise UsageError(f'expected "background" as the first of .classes, got {listed(dataset.classes)}')
    found: LaneData = dataset
    return found


def _own(spec: str) -> tuple[LaneData, LaneData]:
    train, val = from_code(spec)
    return checked_lanes(train), checked_lanes(val)
