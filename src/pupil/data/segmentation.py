"""Training and validation data for segmentation from one text: a folder, drawn scenes, or the reader's own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pupil.data.folder import SegmentationFolder
from pupil.data.street import StreetScenes
from pupil.errors import UsageError
from pupil.imports import import_function

DRAWN = "drawn"


class SegmentationData(Protocol):
    """A map-style data set of (image, mask) that knows what its ids mean."""

    @property
    def classes(self) -> Sequence[str]: ...

    @property
    def colours(self) -> Sequence[Sequence[int]]: ...

    @property
    def ignore_index(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def segmentation_data(
    spec: str,
    *,
    scene_size: tuple[int, int] = (64, 96),
    scenes: tuple[int, int] = (1200, 200),
    classes: Sequence[str] | None = None,
    ignore_index: int | None = None,
    labels: int | None = None,
    label_noise: float = 0.0,
    seed: int = 0,
) -> tuple[SegmentationData, SegmentationData]:
    """The training and the validation set that a text names.

    ==============================  ========================================================================
    ``drawn``                       drawn street scenes, see :class:`pupil.data.street.StreetScenes`
    ``DIR``                         a folder with ``train`` and ``val``, see :class:`SegmentationFolder`
    ``package.module:function``     called without arguments, returns the two data sets
    ==============================  ========================================================================

    Args:
        spec: the text.
        scene_size: (H, W) of drawn scenes.
        scenes: how many drawn scenes there are to train and to validate on.
        classes: class names, where the data does not bring them.
        ignore_index: id of pixels without a label, where the data does not say.
        labels: keep only this many labelled training images.
        label_noise: how carelessly drawn scenes are labelled, from 0 to 1.
        seed: which drawn scenes, and which images `labels` keeps.

    Raises:
        UsageError: where there is no such data, or it is not as a segmentation data set should be.
    """
    if spec == DRAWN:
        train = StreetScenes(scenes[0], scene_size, labels=labels, label_noise=label_noise, split="train")
        return train, StreetScenes(scenes[1], scene_size, split="val")
    if label_noise:
        raise UsageError(f"expected --label-noise with --data {DRAWN} alone, got --data {spec}: leave it out")
    if ":" in spec and not Path(spec).exists():
        return _from_code(spec)
    train_folder = SegmentationFolder(
        spec, "train", classes=classes, ignore_index=ignore_index, labels=labels, seed=seed, cache=True
    )
    val_folder = SegmentationFolder(
        spec, "val", classes=train_folder.classes, ignore_index=train_folder.ignore_index, cache=True
    )
    return train_folder, val_folder


def _from_code(spec: str) -> tuple[SegmentationData, SegmentationData]:
    pair = import_function(spec)()
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise UsageError(f"expected {spec!r} to return two data sets (train, val), got {type(pair).__name__}")
    train, val = (checked_data(dataset, spec) for dataset in pair)
    return train, val


def checked_data(dataset: Any, where: str) -> SegmentationData:
    """A data set of the reader's own, once it is known to say what its ids mean."""
    for name in ("classes", "colours", "ignore_index"):
        if not hasattr(dataset, name):
            raise UsageError(f"expected the data sets of {where} to have .{name}: set it on {type(dataset).__name__}")
    checked: SegmentationData = dataset
    return checked
