"""KITTI's 2-D objects as they are unpacked: `training/image_2` and `training/label_2`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pupil.data.detection.box_images import BoxImages, Size, image_named, listed_names, no_list, to_score
from pupil.data.detection.boxes import Annotation, class_names
from pupil.data.files import text_of
from pupil.errors import UsageError, unknown

# The metric has the same list; what a target says is a place in it.
TYPES = ("Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc", "DontCare")
CLASSES = ("Car", "Pedestrian", "Cyclist")
COLUMNS = 15
SPLIT_SEED = 0
SHARE = 0.8
SPLITS = ("train", "val")


class KITTILabel(NamedTuple):
    """A line of a label file, as far as boxes go."""

    type: str
    truncation: float
    occlusion: int
    box: tuple[float, ...]


class KITTIBoxes(BoxImages):
    """`training/image_2/NAME.png` and `training/label_2/NAME.txt`.

    Training and validation are those of the lists `train.txt` and `val.txt`, in `ImageSets`, `training` or the folder
    itself. Without lists they are 8 and 2 of 10 images, drawn at random with a seed of their own, so that a teacher and
    its students never see each other's validation images: 5,985 and 1,496 of KITTI's 7,481.

    Objects of other types and DontCare have no class (label 0); the metric needs them, training does not.

    Args:
        root: the folder with `training`, or that one.
        split: train or val, or the name of another list.
        classes: the types to tell apart, in order.
        split_seed: of the random split.
        ignored: whether objects without a class are in the targets; None for all splits but train.
        labels: keep this many images, see :class:`BoxImages`.
        seed: of that choice.
        strict: whether a box without area is refused.
        skip: whether images without a readable header are left out.

    Raises:
        UsageError: folders, a list, an image or a label file are missing, or a line is no such label (file and line
            are named); and what `BoxImages` raises.

    Reference:
        A. Geiger, P. Lenz, R. Urtasun, "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite", CVPR
        2012. The share of the split is that of Q. Lan, Q. Tian, "Adaptive Instance Distillation for Object Detection in
        Autonomous Driving", ICPR 2022, whose own lists are not published.
    """

    title: ClassVar[str] = "KITTI"
    layout: ClassVar[str] = "training/image_2 and training/label_2"
    metric: ClassVar[str] = "kitti"

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        classes: Sequence[str] = CLASSES,
        split_seed: int = SPLIT_SEED,
        ignored: bool | None = None,
        labels: int | None = None,
        seed: int = 0,
        strict: bool = False,
        skip: bool = False,
    ) -> None:
        folder = _found(Path(root))
        if folder is None:
            raise UsageError(f"expected {self.layout} in {root}, got no such folders: name the folder that has them")
        for name in class_names(classes, "your choice"):
            if name not in TYPES[:-1]:
                raise unknown("type of KITTI", name, TYPES[:-1])
        numbers = {name: label for label, name in enumerate(classes, start=1)}
        names = _names(folder, split, split_seed)
        files = [folder / "label_2" / f"{name}.txt" for name in names]

        def read(place: int, size: Size) -> Annotation:
            objects = read_labels(files[place])
            found = np.array([numbers.get(each.type, 0) for each in objects], np.int64)
            further: dict[str, Any] = {
                "type": np.array([TYPES.index(each.type) for each in objects], np.int64),
                "truncation": np.array([each.truncation for each in objects], np.float32),
                "occlusion": np.array([each.occlusion for each in objects], np.int64),
            }
            return Annotation([each.box for each in objects], found, found == 0, further)

        super().__init__(
            [image_named(folder / "image_2", name, ".png") for name in names],
            files,
            read,
            classes,
            ignored=to_score(split, ignored),
            labels=labels,
            seed=seed,
            strict=strict,
            skip=skip,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return _found(root) is not None


def read_labels(path: Path) -> list[KITTILabel]:
    """The lines of a label file.

    Raises:
        UsageError: there is no such file, or a line is no such label; file and line are named.
    """
    try:
        lines = text_of(path, "labels").splitlines()
    except FileNotFoundError:
        raise UsageError(f"expected labels at {path}, got no such file: each image needs one") from None
    return [_label(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _label(line: str, where: str) -> KITTILabel:
    words = line.split()
    if words[0] not in TYPES:
        raise UsageError(f"{where}: {unknown('type', words[0], TYPES)}")
    try:
        numbers = [float(word) for word in words[1:]]
        occlusion = int(numbers[1])
    except (ValueError, IndexError, OverflowError):
        numbers = []
    # Results have a 16th column, the score.
    if len(numbers) not in (COLUMNS - 1, COLUMNS):
        raise UsageError(f"expected a type and {COLUMNS - 1} numbers in {where}, got {line[:60]!r}: mend the line")
    return KITTILabel(words[0], numbers[0], occlusion, tuple(numbers[3:7]))


def _names(folder: Path, split: str, split_seed: int) -> list[str]:
    """The images of a split: of its list, where there is one, else of the random split."""
    places = (folder.parent / "ImageSets", folder / "ImageSets", folder, folder.parent)
    listed = [place / f"{split}.txt" for place in places if (place / f"{split}.txt").is_file()]
    if listed:
        return listed_names(listed[0])
    # A list of the one with a random choice of the other would share images.
    others = [place / f"{other}.txt" for place in places for other in SPLITS if (place / f"{other}.txt").is_file()]
    if split not in SPLITS or others:
        path = folder.parent / "ImageSets" / f"{split}.txt"
        if others:
            raise no_list(path, [other.parent for other in others])
        raise UsageError(
            f"expected a list of images at {path}, got no such file: choose train or val, which are drawn, or write it"
        )
    names = sorted(path.stem for path in (folder / "label_2").glob("*.txt"))
    if len(names) < 2:
        raise UsageError(f"expected at least 2 label files in {folder / 'label_2'}, got {len(names)}: unpack them")
    drawn = np.random.default_rng(split_seed).permutation(len(names)).tolist()
    count = min(max(round(SHARE * len(names)), 1), len(names) - 1)
    return [names[index] for index in sorted(drawn[:count] if split == "train" else drawn[count:])]


def _found(root: Path) -> Path | None:
    places = (root / "training", root)
    return next((place for place in places if all((place / part).is_dir() for part in ("image_2", "label_2"))), None)
