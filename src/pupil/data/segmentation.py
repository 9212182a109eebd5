"""Training and validation data for segmentation from one text: a folder, drawn scenes, or the reader's own code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from pupil.data.classes import check_ids, read_classes
from pupil.data.folder import SegmentationFolder
from pupil.data.formats import FORMATS, find_format, open_format
from pupil.data.labelled import LabelledImages
from pupil.data.layouts import AUTO, has_layout
from pupil.data.own_code import NamedClasses, OwnData, check_classes, from_code, is_code
from pupil.data.palette import distinct_colours
from pupil.data.street import StreetScenes
from pupil.data.views import as_image, as_target
from pupil.errors import UsageError

DRAWN = "drawn"
IGNORE_INDEX = 255  # where a data set does not say
SCENES = (1200, 200)


class SegmentationData(NamedClasses, Protocol):
    """A data set of (image, mask), which also knows each class's colour and the id of pixels without a label."""

    @property
    def colours(self) -> Sequence[Sequence[int]]: ...

    @property
    def ignore_index(self) -> int: ...


def segmentation_data(
    spec: str,
    *,
    format: str = AUTO,
    scene_size: tuple[int, int] = (64, 96),
    scenes: tuple[int, int] = SCENES,
    classes: Sequence[str] | None = None,
    ignore_index: int | None = None,
    labels: int | None = None,
    label_noise: float = 0.0,
    seed: int = 0,
) -> tuple[SegmentationData, SegmentationData]:
    """The training and the validation set that a text names.

    ==============================  ========================================================================
    ``drawn``                       drawn street scenes, see :class:`pupil.data.street.StreetScenes`
    ``DIR``                         a folder in one of the layouts of :mod:`pupil.data.formats`
    ``package.module:function``     called without arguments, returns the two data sets
    ==============================  ========================================================================

    Args:
        spec: the text.
        format: the layout of a folder; "auto" finds it.
        scene_size: (H, W) of drawn scenes, which are the same for every seed.
        scenes: how many drawn scenes there are to train and to validate on.
        classes: class names, where the data does not bring them.
        ignore_index: id of pixels without a label, where the data does not say.
        labels: keep only this many labelled training images.
        label_noise: how carelessly drawn scenes are labelled, from 0 to 1.
        seed: which images of a folder `labels` keeps.

    Raises:
        UsageError: where there is no such data, it is not as a segmentation data set should be, or it takes no such
            argument.

    Example:
        >>> train, val = segmentation_data("drawn", scenes=(40, 8), labels=10)
        >>> len(train), len(val), train.classes[:2]
        (10, 8, ('sky', 'building'))
    """
    if label_noise and spec != DRAWN:
        raise UsageError(f"expected --label-noise with --data {DRAWN} alone, got --data {spec}: leave it out")
    name = data_format(spec, format)
    if spec == DRAWN:
        _refuse("a data folder", f"--data {spec}", classes=classes, ignore_index=ignore_index)
        return (
            drawn_scenes(scenes[0], scene_size, labels=labels, label_noise=label_noise, split="train"),
            drawn_scenes(scenes[1], scene_size, split="val"),
        )
    if is_code(spec):
        _refuse("a data folder", f"--data {spec}", classes=classes, ignore_index=ignore_index, labels=labels)
        own = from_code(spec)
        return checked_data(own[0]), checked_data(own[1])
    kept: dict[str, Any] = {"labels": labels, "seed": seed, "cache": True}
    if name == "folder":
        train: LabelledImages = SegmentationFolder(spec, "train", classes=classes, ignore_index=ignore_index, **kept)
    else:
        _refuse("--format folder", f"--format {name}", classes=classes, ignore_index=ignore_index)
        train = open_format(str(name))(spec, "train", **kept)
    return train, validation_data(spec, format=str(name), classes=train.classes, ignore_index=train.ignore_index)


def data_format(spec: str, format: str = AUTO) -> str | None:
    """The name of a folder's layout; None for drawn scenes and the reader's own code, which have none.

    Raises:
        UsageError: where there is no such layout, the folder has none or several, or there is no folder to have one.
    """
    return find_format(spec, format) if has_layout(spec, format, FORMATS, drawn=[DRAWN]) else None


# Drawing costs more than training a small network on what was drawn: a process draws each scene once.
drawn_scenes = lru_cache(maxsize=4)(StreetScenes)


def validation_data(
    spec: str,
    *,
    classes: Sequence[str],
    ignore_index: int,
    format: str = AUTO,
    scene_size: tuple[int, int] = (64, 96),
    own_classes: bool = False,
    split: str = "val",
) -> SegmentationData:
    """The validation set alone, or another split, for a network that knows its classes.

    Args:
        spec: as for :func:`segmentation_data`; a folder needs no `train` here.
        classes: the network's classes.
        ignore_index: id of pixels without a label, in a folder that does not say.
        format: the layout of a folder; "auto" finds it.
        scene_size: (H, W) of drawn scenes.
        own_classes: whether the data may have other classes, which the caller then matches; what a folder's
            `classes.json` says wins.
        split: of a folder or of drawn scenes.

    Raises:
        UsageError: where there is no such data, or it has other classes.
    """
    name = data_format(spec, format)
    if spec == DRAWN:
        val: SegmentationData = drawn_scenes(SCENES[1], scene_size, split=split)
    elif is_code(spec):
        val = checked_data(from_code(spec)[1])
    elif name != "folder":
        val = open_format(str(name))(spec, split, cache=True)
    else:
        said = read_classes(Path(spec) / "classes.json") if own_classes else {}
        classes, ignore_index = said.get("names", classes), said.get("ignore_index", ignore_index)
        val = SegmentationFolder(spec, split, classes=classes, ignore_index=ignore_index, cache=True)
    if not own_classes:
        check_classes(val, classes, repr(spec))
    return val


def checked_data(dataset: Any) -> SegmentationData:
    """A data set of the reader's own, once it is known to say what its ids mean; each item is checked when read."""
    return dataset if isinstance(dataset, LabelledImages | StreetScenes | CheckedData) else CheckedData(dataset)


class CheckedData(OwnData):
    """A data set of the reader's own whose masks are compared with its images and its classes when they are read.

    Args:
        dataset: map-style, of (image, mask), with `classes`. Its `colours` are distinct ones, and its `ignore_index`
            is 255, where it does not say.

    Raises:
        UsageError: it is empty, names no classes, or has not one colour a class; on access to an item whose mask has
            another size than its image, or ids that are no class.
    """

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset)
        colours: Sequence[Sequence[int]] | None = getattr(dataset, "colours", None)
        self.colours = distinct_colours(len(self.classes)) if colours is None else colours
        ignore_index: int | None = getattr(dataset, "ignore_index", None)
        self.ignore_index = IGNORE_INDEX if ignore_index is None else ignore_index
        if len(self.colours) != len(self.classes):
            raise UsageError(
                f"expected a colour for each of your {len(self.classes)} classes, got {len(self.colours)}: "
                f"set .colours on {type(dataset).__name__}, or leave it out"
            )

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, mask = self.dataset[index]
        image, mask = as_image(image), as_target(mask)
        where = self.names[index]
        if getattr(mask, "shape", None) != image.shape[1:]:
            got = tuple(getattr(mask, "shape", ())) or type(mask).__name__
            raise UsageError(f"expected a mask of class ids {tuple(image.shape[1:])} in {where}, got {got}")
        remedy = "name all the classes, or set .ignore_index"
        check_ids(mask, len(self.classes), self.ignore_index, where, remedy)
        return image, mask


def _refuse(place: str, given: str, **arguments: Any) -> None:
    """Refuse what only a folder needs, rather than leave it unheard."""
    for name, value in arguments.items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"expected {flag} with {place} alone, got {given}: leave it out")
