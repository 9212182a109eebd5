"""Pascal VOC 2012 as it is unpacked, alone and with the further labels of SBD."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from pupil.data.classes import Classes
from pupil.data.files import text_of
from pupil.data.images import mask_size, read_mask
from pupil.data.labelled import LabelledImages
from pupil.data.masks import Ids, MaskReader
from pupil.data.palette import Colour
from pupil.errors import UsageError, listed

NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
PLACES = (".", "VOC2012", "VOCdevkit/VOC2012")  # where it may lie in the folder that is named
SBD = ("benchmark_RELEASE/dataset", "dataset", "sbd", "SBD")
SBD_LISTS = ("train.txt", "val.txt")
SBD_PARTS = ("cls", *SBD_LISTS)
LISTS = ("train_aug.txt", "trainaug.txt")


def voc_colours(count: int) -> tuple[Colour, ...]:
    """The palette of VOC's masks: the bits of an id, spread over the high bits of red, green and blue.

    Example:
        >>> voc_colours(4)
        ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    """

    def part(index: int, first: int) -> int:
        return sum((index >> (3 * place + first) & 1) << (7 - place) for place in range(3))

    return tuple((part(index, 0), part(index, 1), part(index, 2)) for index in range(count))


class VOC(LabelledImages):
    """`VOCdevkit/VOC2012`: `JPEGImages/ID.jpg`, `SegmentationClass/ID.png`, `ImageSets/Segmentation/SPLIT.txt`.

    21 classes, the border is ignored (255). Training has the 1,464 images of `train.txt`; see :class:`AugmentedVOC`.

    Args:
        root: that folder, or one of the two above it.
        split: train or val.
        labels: keep this many images, see :class:`LabelledImages`.
        seed: of that choice.
        cache: whether to keep decoded images in memory.

    Raises:
        UsageError: the list, an image or a mask is missing; and what `LabelledImages` raises.
    """

    title: ClassVar[str] = "Pascal VOC"
    layout: ClassVar[str] = "JPEGImages, SegmentationClass and ImageSets/Segmentation"

    def __init__(
        self, root: str | Path, split: str, *, labels: int | None = None, seed: int = 0, cache: bool = False
    ) -> None:
        folder = _folder(Path(root))
        pairs = self._training(folder, Path(root)) if split == "train" else _listed(folder, f"{split}.txt")
        images, masks = zip(*pairs, strict=True)
        super().__init__(
            images,
            masks,
            Classes(NAMES, voc_colours(len(NAMES))),
            reader=MaskReader(_read, _size),
            labels=labels,
            seed=seed,
            cache=cache,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return _found(root) is not None

    @staticmethod
    def _training(folder: Path, root: Path) -> list[tuple[Path, Path]]:
        return _listed(folder, "train.txt")


class AugmentedVOC(VOC):
    """VOC 2012 whose training images are those of VOC and SBD together, 10,582; validation is VOC's own.

    Their labels are either `SegmentationClassAug/ID.png` with the list `ImageSets/Segmentation/train_aug.txt` (or
    `trainaug.txt`), or SBD as it is released, `benchmark_RELEASE/dataset` beside or in the folder, whose `cls/ID.mat`
    are used for every image that VOC itself has no mask of. An image of VOC's validation list is never trained on.

    Args:
        root: as for :class:`VOC`.
        split: train or val.
        labels: keep this many images, see :class:`LabelledImages`.
        seed: of that choice.
        cache: whether to keep decoded images in memory.

    Raises:
        UsageError: SBD, a list, an image or a mask is missing; and what `LabelledImages` raises.
    """

    title: ClassVar[str] = "Pascal VOC with SBD"
    layout: ClassVar[str] = f"{VOC.layout}, and SegmentationClassAug or benchmark_RELEASE/dataset"

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        folder = _found(root)
        return folder is not None and (_list(folder) is not None or _sbd(folder, root) is not None)

    @staticmethod
    def _training(folder: Path, root: Path) -> list[tuple[Path, Path]]:
        held = {image.stem for image, _ in _listed(folder, "val.txt")}
        if own := _list(folder):
            pairs = _listed(folder, own, "SegmentationClassAug")
        elif sbd := _sbd(folder, root):
            names = [name for part in SBD_LISTS for name in text_of(sbd / part, "a list of images").split()]
            masks = dict(_listed(folder, "train.txt"))
            known = {image.stem for image in masks}
            further = sorted({*names} - known)
            pairs = [*masks.items(), *((folder / "JPEGImages" / f"{n}.jpg", sbd / "cls" / f"{n}.mat") for n in further)]
        else:
            raise UsageError(
                f"expected SBD's labels with {folder}, got neither SegmentationClassAug with "
                f"ImageSets/Segmentation/train_aug.txt nor benchmark_RELEASE/dataset with {listed(SBD_PARTS)}: "
                "add them, or pass --format voc"
            )
        return sorted(pair for pair in pairs if pair[0].stem not in held)


def _found(root: Path) -> Path | None:
    parts = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")
    return next((root / place for place in PLACES if all((root / place / part).is_dir() for part in parts)), None)


def _folder(root: Path) -> Path:
    if folder := _found(root):
        return folder
    raise UsageError(f"expected {VOC.layout} in {root} or its VOCdevkit/VOC2012, got no such folders: pass --data DIR")


def _list(folder: Path) -> str | None:
    if not (folder / "SegmentationClassAug").is_dir():
        return None
    return next((name for name in LISTS if (folder / "ImageSets" / "Segmentation" / name).is_file()), None)


def _sbd(folder: Path, root: Path) -> Path | None:
    places = [above / place for above in (root, folder, folder.parent, folder.parent.parent) for place in SBD]
    return next((place for place in places if all((place / part).exists() for part in SBD_PARTS)), None)


def _listed(folder: Path, name: str, masks: str = "SegmentationClass") -> list[tuple[Path, Path]]:
    """The image and the mask of every line of a list: an id, or two paths as several distributions write them."""
    path = folder / "ImageSets" / "Segmentation" / name
    if not path.is_file():
        raise UsageError(f"expected a list of images at {path}, got no such file")
    lines = [line.split() for line in text_of(path, "a list of images").splitlines() if line.strip()]
    if not lines:
        raise UsageError(f"expected images in the list {path}, got an empty file")
    return [
        (folder / line[0].lstrip("/"), folder / line[1].lstrip("/"))
        if len(line) == 2
        else (folder / "JPEGImages" / f"{line[0]}.jpg", folder / masks / f"{line[0]}.png")
        for line in lines
    ]


def _size(path: Path) -> tuple[int, int] | None:
    return None if path.suffix == ".mat" else mask_size(path)


def _read(path: Path) -> Ids:
    if path.suffix != ".mat":
        return read_mask(path)
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    from pupil.data.images import Unreadable

    try:
        return np.asarray(loadmat(path)["GTcls"]["Segmentation"][0, 0])
    except (OSError, KeyError, IndexError, TypeError, ValueError, MatReadError) as error:
        raise Unreadable(f"cannot read {path}: expected SBD's GTcls.Segmentation ({error})") from error
