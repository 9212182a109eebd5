"""Boxes as YOLO's tools write them: `images`, `labels` beside it, and the names of the classes in `data.yaml`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pupil.data.detection.box_images import SPLIT_NAMES, BoxImages, Size, to_score
from pupil.data.detection.boxes import Annotation, class_names
from pupil.data.files import text_of
from pupil.data.images import SUFFIXES
from pupil.errors import UsageError, listed

SETTINGS = ("data.yaml", "data.yml", "dataset.yaml")
NAMES = ("classes.txt", "labels/classes.txt", "labels/train/classes.txt", "train/labels/classes.txt")
BEYOND = 0.5  # of the image, by which an outline may leave it; what lies farther off is meant in pixels


class YOLOBoxes(BoxImages):
    """`images/train/NAME.jpg` and `labels/train/NAME.txt`, or `train/images` and `train/labels`, with `data.yaml`.

    A line is `class x y width height`: the number of the class from 0, the centre and the size of the box as shares of
    the image's. Lines with more numbers are outlines, whose boxes are taken. An image without a label file shows
    nothing, and a label file in such a folder without its image is refused. `data.yaml` says in `names` what the
    classes are called and may say in `path`, `train`, `val` and `test` where the images are, as folders or lists of
    files; without it, `classes.txt` names one class a line.

    Args:
        root: that folder.
        split: train, val or test.
        classes: their names in order; None reads them.
        ignored: whether what is not to be trained on is in the targets; files of YOLO know no such boxes.
        labels: keep this many images, see :class:`BoxImages`.
        seed: of that choice.
        strict: whether a box without area is refused.
        skip: whether images without a readable header are left out.

    Raises:
        UsageError: images, all labels, the image of one or the names are missing, or a line is no such label (file and
            line are named); and what `BoxImages` raises.
    """

    title: ClassVar[str] = "YOLO"
    layout: ClassVar[str] = "images and labels with data.yaml or classes.txt"
    metric: ClassVar[str] = "coco"

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        classes: Sequence[str] | None = None,
        ignored: bool | None = None,
        labels: int | None = None,
        seed: int = 0,
        strict: bool = False,
        skip: bool = False,
    ) -> None:
        root = Path(root)
        settings = _settings(root)
        found = class_names(_names(root, settings) if classes is None else classes, root)
        places = _places(root, settings, split)
        images = [image for place in places for image in _within(place)]
        if not images:
            raise _no_images(root, settings, places)
        files = [label_file(image) for image in images]
        if not any(path.is_file() for path in files):
            raise UsageError(
                f"expected labels like {files[0]}, got none for any of {len(files)} images: put them there"
            )

        _check_images(places, files)

        def read(place: int, size: Size) -> Annotation:
            rows = read_rows(files[place], len(found))
            boxes = np.array([row[1:] for row in rows], np.float64).reshape(-1, 4) * np.tile(size[::-1], 2)
            return Annotation(boxes, [int(row[0]) + 1 for row in rows], [False] * len(rows))

        super().__init__(
            images,
            files,
            read,
            found,
            ignored=to_score(split, ignored),
            labels=labels,
            seed=seed,
            strict=strict,
            skip=skip,
        )

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        pairs = (root, root / "train", root / "val", root / "valid")
        labelled = any((place / "images").is_dir() and (place / "labels").is_dir() for place in pairs)
        return labelled or any((root / name).is_file() for name in SETTINGS)


def label_file(image: Path) -> Path:
    """Where the labels of an image are: the last folder called `images` is called `labels` instead.

    Example:
        >>> label_file(Path("data/images/train/one.jpg")).as_posix()
        'data/labels/train/one.txt'
    """
    parts = list(image.parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts).with_suffix(".txt")


def read_rows(path: Path, classes: int) -> list[tuple[float, ...]]:
    """The class from 0 and left, top, right, bottom of each box, as shares of the image; nothing without a file.

    Raises:
        UsageError: a line is no such label; file and line are named.
    """
    try:
        lines = text_of(path, "labels", "write it again").splitlines()
    except FileNotFoundError:
        return []
    where = ((line, f"{path}, line {number}") for number, line in enumerate(lines, start=1))
    return [_row(line, place, classes) for line, place in where if line.strip()]


def _row(line: str, where: str, classes: int) -> tuple[float, ...]:
    try:
        number, *sides = map(float, line.split())
    except ValueError:
        number, sides = math.nan, []
    if not all(map(math.isfinite, (number, *sides))) or (len(sides) != 4 and (len(sides) < 6 or len(sides) % 2)):
        raise UsageError(f"expected `class x y width height` in {where}, got {line[:60]!r}: mend the line")
    if number not in range(classes):
        raise UsageError(
            f"expected a class from 0 to {classes - 1} in {where}, got {number:g}: "
            "name all the classes in data.yaml or classes.txt, or mend the line"
        )
    if not all(-BEYOND <= side <= 1 + BEYOND for side in sides):
        raise UsageError(
            f"expected shares of the image's size, from 0 to 1, in {where}, got {line[:60]!r}: divide pixels by it"
        )
    if len(sides) > 4:
        return number, min(sides[::2]), min(sides[1::2]), max(sides[::2]), max(sides[1::2])
    x, y, width, height = sides
    return number, x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _settings(root: Path) -> dict[str, Any]:
    path = next((root / name for name in SETTINGS if (root / name).is_file()), None)
    if path is None:
        return {}
    import yaml  # type: ignore[import-untyped]

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(
            f"expected YAML in {path}, got a broken file ({' '.join(str(error).split())}): mend it"
        ) from None
    if not isinstance(found, dict):
        raise UsageError(f"expected names: and train: in {path}, got {str(found)[:60]!r}: write them there")
    return found


def _names(root: Path, settings: dict[str, Any]) -> Sequence[object]:
    names = settings.get("names")
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise UsageError(
                f"expected names of the classes 0 to {len(names) - 1}, got {listed(names, 5)} in {root}: count from 0"
            )
        return [names[number] for number in range(len(names))]
    if isinstance(names, list):
        return names
    path = next((root / name for name in NAMES if (root / name).is_file()), None)
    if path is None:
        raise UsageError(
            f"expected the names of the classes in {root}, got neither names: in data.yaml nor classes.txt: "
            "write one of them"
        )
    return [line.strip() for line in text_of(path, "names of classes", "write it again").splitlines() if line.strip()]


def _places(root: Path, settings: dict[str, Any], split: str) -> list[Path]:
    """The folders or lists of a split's images."""
    said = next((settings[name] for name in SPLIT_NAMES.get(split, (split,)) if settings.get(name)), None)
    if said is not None:
        base = root / str(settings.get("path") or ".")
        return [_place(str(each), (base, root)) for each in (said if isinstance(said, list) else [said])]
    kinds = SPLIT_NAMES.get(split, (split,))
    usual = [place for kind in kinds for place in (root / "images" / kind, root / kind / "images")]
    return [place for place in usual if place.is_dir()][:1] or usual[:1]


def _no_images(root: Path, settings: dict[str, Any], places: Sequence[Path]) -> UsageError:
    folders = {each.name for each in root.glob("images/*") if each.is_dir()}
    folders |= {each.parent.name for each in root.glob("*/images") if each.is_dir()}
    splits = sorted(folders | {name for names in SPLIT_NAMES.values() for name in names if settings.get(name)})
    return UsageError(
        f"expected images in {listed(places)}, got none{f' (splits: {listed(splits, 8)})' if splits else ''}: "
        "name the folder in data.yaml, unpack it, or choose another split"
    )


def _check_images(places: Iterable[Path], files: Iterable[Path]) -> None:
    """That label files have an image; beside a list they may be those of another split."""
    folders = {label_file(place / "0.txt").parent: place for place in places if place.is_dir()}
    known = {*files}
    labels = [
        path
        for folder, place in folders.items()
        if folder != place
        for path in sorted(folder.rglob("*.txt"))
        if path.name != "classes.txt"
    ]
    alone = [path for path in labels if path not in known]
    if alone:
        raise UsageError(
            f"expected an image for each label file, got none for {len(alone)} of {len(labels)}, first {alone[0]}: "
            "unpack the images, or remove the file"
        )


def _place(said: str, bases: Iterable[Path]) -> Path:
    """Where a folder or a list is; exports often name it from a folder that is not there."""
    # An absolute path replaces the base that it is joined to.
    places = [base / each for each in (said, said.removeprefix("../")) for base in bases]
    return next((place for place in places if place.exists()), places[0])


def _within(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not place.is_file():
        return []
    lines = (line.strip() for line in text_of(place, "a list of images", "write it again").splitlines())
    return [place.parent / line.removeprefix("./") for line in lines if line]
