"""Pascal VOC's boxes, and every data set that took over its XML: `JPEGImages`, `Annotations`, `ImageSets/Main`."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from pupil.data.detection.box_images import BoxImages, Size, image_named, listed_names, to_score
from pupil.data.detection.boxes import Annotation, class_labels, class_names
from pupil.data.files import text_of
from pupil.data.voc import NAMES
from pupil.errors import UsageError

PARTS = ("JPEGImages", "Annotations", "ImageSets/Main")
YEARS = ("VOC2012", "VOC2007")
PLACES = (".", *YEARS, *(f"VOCdevkit/{year}" for year in YEARS))  # where it may lie in the folder that is named
SIDES = ("xmin", "ymin", "xmax", "ymax")
CLASSES = NAMES[1:]


class VOCObject(NamedTuple):
    """An object of an annotation: its box as the file says, counted from 1."""

    name: str
    box: tuple[float, ...]
    difficult: bool


class VOCBoxes(BoxImages):
    """`JPEGImages/NAME.jpg`, `Annotations/NAME.xml`, and lists of names `ImageSets/Main/SPLIT.txt`.

    A box counts its pixels from 1 and has its last ones inside, so left and top are lowered by 1 and right and bottom
    stay. Numbers may be fractions, and `difficult` may be missing. The classes are VOC's 20 in their order if all names
    are among them, else the names in the annotations of all lists, in the order of the alphabet.

    Args:
        root: that folder, or one above `VOCdevkit`.
        split: train, val, test, or the name of another list.
        classes: their names in order; None finds them.
        ignored: whether difficult objects are in the targets; None for all splits but train.
        labels: keep this many images, see :class:`BoxImages`.
        seed: of that choice.
        strict: whether a box without area is refused.
        skip: whether images without a readable header are left out.

    Raises:
        UsageError: a list, an image or an annotation is missing, an annotation is no such XML, or names no class; and
            what `BoxImages` raises.
    """

    title: ClassVar[str] = "Pascal VOC"
    layout: ClassVar[str] = "JPEGImages, Annotations and ImageSets/Main"
    metric: ClassVar[str] = "voc"

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
        folder = _found(Path(root))
        if folder is None:
            raise UsageError(f"expected {self.layout} in {root}, got no such folders: name the folder that has them")
        names = listed_names(folder / "ImageSets" / "Main" / f"{split}.txt")
        files = [folder / "Annotations" / f"{name}.xml" for name in names]
        objects = {path: read_objects(path) for path in files}
        known = tuple(classes) if classes is not None else _classes(folder, objects)

        def read(place: int, size: Size) -> Annotation:
            path = files[place]
            boxes = np.array([each.box for each in objects[path]], np.float64).reshape(-1, 4) - [1, 1, 0, 0]
            difficult = [each.difficult for each in objects[path]]
            marks = np.array(difficult, np.int64)
            names = [each.name for each in objects[path]]
            return Annotation(boxes, class_labels(names, known, path), difficult, {"difficult": marks})

        images = [image_named(folder / "JPEGImages", name) for name in names]
        super().__init__(
            images,
            files,
            read,
            known,
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


def read_objects(path: Path) -> list[VOCObject]:
    """The objects of an annotation.

    Raises:
        UsageError: there is no such file, or it is no such XML; the line or the number of the object is named.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise UsageError(f"expected an annotation at {path}, got no such file: each listed image needs one") from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # or an encoding that is none
        raise UsageError(f"expected XML in {path}, got a broken file ({error}): mend it or unpack it again") from None
    return [_object(each, f"{path}, object {number}") for number, each in enumerate(root.iter("object"), start=1)]


def _object(said: ElementTree.Element, where: str) -> VOCObject:
    name, box = (said.findtext("name") or "").strip(), said.find("bndbox")
    sides = [None if box is None else box.findtext(side) for side in SIDES]
    try:
        numbers = tuple(float(side or "") for side in sides)
        difficult = float(said.findtext("difficult") or 0) != 0
    except ValueError:
        numbers, difficult = (), False
    if not name or not numbers:
        raise UsageError(
            f"expected a name, a bndbox of {', '.join(SIDES)}, and perhaps difficult as numbers in {where}, "
            f"got {name or 'no name'} with {sides}: mend the file"
        )
    return VOCObject(name, numbers, difficult)


def _classes(folder: Path, objects: dict[Path, list[VOCObject]]) -> tuple[str, ...]:
    names = {each.name for found in objects.values() for each in found}
    if names <= {*CLASSES}:
        return CLASSES
    for path in sorted((folder / "ImageSets" / "Main").glob("*.txt")):
        others = (folder / "Annotations" / f"{name}.xml" for name in text_of(path, "a list of images").split())
        names |= {
            each.name for other in others if other not in objects and other.is_file() for each in read_objects(other)
        }
    return class_names(sorted(names), folder)


def _found(root: Path) -> Path | None:
    return next((root / place for place in PLACES if all((root / place / part).is_dir() for part in PARTS)), None)
