"""COCO's boxes, and every data set in its JSON: whole, or the traffic that AID chose from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pupil.data.detection.box_images import SPLIT_NAMES, BoxImages, Size, to_score
from pupil.data.detection.boxes import Annotation, class_names
from pupil.errors import UsageError, listed, unknown

YEARS = ("2017", "2014", "")
PLACES = ("*.json", "annotations/*.json", "*/_annotations.coco.json")
TRAFFIC = (
    *("person", "bicycle", "car", "motorcycle", "bus", "train", "truck"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "cat", "dog"),
)
STREET = frozenset(TRAFFIC) - {"person", "parking meter", "cat", "dog"}  # one of these makes it a picture of traffic


class COCOBox(NamedTuple):
    """An annotation: [x, y, width, height], the id of its category, whether it is of a crowd (1), and its area."""

    box: list[float]
    category: int
    crowd: int
    area: float


class COCOBoxes(BoxImages):
    """`annotations/instances_train2017.json` and `train2017/NAME.jpg`, and the same for val.

    Also `annotations/instances_train.json`, `annotations/train.json` or `train.json` with the images in `train`,
    `images/train` or `images`, and `train/_annotations.coco.json` beside its images. Ids of categories have
    gaps, labels have none: label 1 is the category of the lowest id.

    Args:
        root: that folder.
        split: train, val or test.
        classes: the categories to tell apart, in order; boxes of others are left out. None takes all.
        ignored: whether the boxes of crowds are in the targets; None for all splits but train.
        labels: keep this many images, see :class:`BoxImages`.
        seed: of that choice.
        strict: whether a box without area is refused.
        skip: whether images without a readable header are left out.

    Attributes:
        ids: the id of each class's category, for results in COCO's form.
        image_ids: of each image.

    Raises:
        UsageError: the JSON or an image is missing, it is broken (file and line are named), or an annotation is that of
            no image or no category; and what `BoxImages` raises.
    """

    title: ClassVar[str] = "COCO"
    layout: ClassVar[str] = (
        "annotations/instances_train2017.json and train2017, train.json and train, train/_annotations.coco.json"
    )
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
        path = _annotations(Path(root), split)
        if path is None:
            there = sorted(each.relative_to(root).as_posix() for place in PLACES for each in Path(root).glob(place))
            raise UsageError(
                f"expected annotations/instances_{split}2017.json (or 2014, or without a year), "
                f"annotations/{split}.json, {split}.json or {split}/_annotations.coco.json in {root}, "
                f"got {listed(there, 8) or 'no JSON'}: name the file of this split so, or choose another"
            )
        record = read_record(path)
        categories = {each["id"]: str(each["name"]) for each in record["categories"]}
        ordered = sorted(categories)
        ids = dict(zip(class_names([categories[number] for number in ordered], path), ordered, strict=True))
        classes = class_names([*ids] if classes is None else classes, path)
        for name in classes:
            if name not in ids:
                raise UsageError(f"{path}: {unknown('category', name, ids)}")
        self.ids = tuple(ids[name] for name in classes)
        numbers = {number: classes.index(name) + 1 if name in classes else 0 for number, name in categories.items()}
        found = _by_image(record, numbers, path)
        shown = {image: {categories[each.category] for each in boxes} for image, boxes in found.items()}
        entries = [each for each in record["images"] if self._wanted(shown[each["id"]])]
        if not entries:
            raise UsageError(f"expected images in {path}, got none: check what was exported")
        images = _images(Path(root), path, split, [str(each["file_name"]) for each in entries])

        def read(place: int, size: Size) -> Annotation:
            ours = [each for each in found[entries[place]["id"]] if numbers[each.category]]
            crowd = np.array([each.crowd for each in ours], np.int64)
            boxes = np.array([each.box for each in ours], np.float64).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            area = np.array([each.area for each in ours], np.float32)
            labels = [numbers[each.category] for each in ours]
            return Annotation(boxes, labels, crowd > 0, {"iscrowd": crowd, "area": area})

        sizes = [(int(each.get("height") or 0), int(each.get("width") or 0)) for each in entries]
        super().__init__(
            images,
            [f"{path}, image {each['file_name']}" for each in entries],
            read,
            classes,
            sizes=sizes if all(map(all, sizes)) else None,
            ignored=to_score(split, ignored),
            labels=labels,
            seed=seed,
            strict=strict,
            skip=skip,
        )
        self.image_ids = [entries[place]["id"] for place in self.kept]

    @classmethod
    def fits(cls, root: Path) -> bool:
        """Whether a folder looks like one of this format."""
        return any(_annotations(root, split) is not None for split in ("train", "val"))

    def _wanted(self, names: set[str]) -> bool:
        """Whether to keep an image that shows objects of these categories."""
        return True


class COCOTraffic(COCOBoxes):
    """COCO's 13 categories that matter to a driver, and the images that show one of the nine that stand for traffic.

    An image is kept for a bicycle, car, motorcycle, bus, train, truck, traffic light, fire hydrant or stop sign; the
    boxes of persons, parking meters, cats and dogs are then kept with it.

    Args:
        root: as for :class:`COCOBoxes`.
        split: train, val or test.
        options: the others of :class:`COCOBoxes`.

    Reference:
        Q. Lan, Q. Tian, "Adaptive Instance Distillation for Object Detection in Autonomous Driving", ICPR 2022, and the
        list in their code lanqz7766/GKD.
    """

    title: ClassVar[str] = "COCO traffic"

    def __init__(self, root: str | Path, split: str, *, classes: Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(root, split, classes=TRAFFIC if classes is None else classes, **options)

    def _wanted(self, names: set[str]) -> bool:
        return not STREET.isdisjoint(names)


Kinds = tuple[type, ...]
NUMBER, TEXT, ANY = (int, float), (str,), (object,)
ID: Kinds = (*NUMBER, *TEXT)
LEFT_OUT: Kinds = (*NUMBER, NoneType)  # a number that an entry need not say
WORDS: Mapping[Kinds, str] = {NUMBER: "a number", LEFT_OUT: "a number", TEXT: "a text", ID: "a number or a text"}
# By list, what each entry says.
WANTED: Mapping[str, Mapping[str, Kinds]] = {
    "images": {"id": ID, "file_name": TEXT, "height": LEFT_OUT, "width": LEFT_OUT},
    "annotations": {"image_id": ID, "category_id": ID, "bbox": ANY, "area": LEFT_OUT, "iscrowd": LEFT_OUT},
    "categories": {"id": ID, "name": ANY},
}


def read_record(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The lists `images`, `annotations` and `categories` of a file in COCO's JSON, without outlines.

    Raises:
        UsageError: it is no JSON, with the line; or no such JSON.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_hook=_without_outline)
    except ValueError as error:
        raise UsageError(f"expected JSON in {path}, got a broken file ({error}): export or unpack it again") from None
    for kind in WANTED:
        entries = found.get(kind) if isinstance(found, dict) else None
        if not isinstance(entries, list):
            raise UsageError(
                f'expected an object with lists {listed(WANTED)} in {path}, got no list "{kind}": export it as COCO'
            )
        _check_entries(entries, kind, path)
    return dict(found)


def _check_entries(entries: Sequence[Any], kind: str, path: Path) -> None:
    """That entries say what is wanted in the form that is wanted, and that no two have one id."""
    wanted = dict(WANTED[kind])
    keys = {key for key, kinds in wanted.items() if kinds is not LEFT_OUT}
    places: dict[Any, int] = {}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not keys <= entry.keys():
            raise UsageError(
                f"expected {listed(sorted(keys))} in {path}, {kind}[{number}], got {str(entry)[:80]}: mend it"
            )
        if number == 0 and "id" in keys:
            # Ids are put in order: all are what the first is.
            wanted["id"] = TEXT if isinstance(entry["id"], str) else NUMBER
        for key, kinds in wanted.items():
            if not isinstance(entry.get(key), kinds):
                raise UsageError(
                    f"expected {WORDS[kinds]} as {key} in {path}, {kind}[{number}], got {entry[key]!r:.60}: mend it"
                )
        if "id" in keys and places.setdefault(entry["id"], number) != number:
            raise UsageError(
                f"expected an id of its own for each of the {kind} in {path}, got {entry['id']!r} in "
                f"{kind}[{places[entry['id']]}] and {kind}[{number}]: number them anew"
            )


def _without_outline(said: dict[str, Any]) -> dict[str, Any]:
    # Outlines are most of the file, and would be several GB of objects.
    said.pop("segmentation", None)
    return said


def _by_image(record: dict[str, list[dict[str, Any]]], numbers: dict[int, int], path: Path) -> dict[int, list[COCOBox]]:
    found: dict[int, list[COCOBox]] = {each["id"]: [] for each in record["images"]}
    for number, each in enumerate(record["annotations"]):
        box, image, category = each["bbox"], each["image_id"], each["category_id"]
        where = f"{path}, annotations[{number}]"
        if category not in numbers:
            raise UsageError(
                f"expected a category_id of the {len(numbers)} categories in {where}, got {category!r}: name it"
            )
        if image not in found:
            raise UsageError(f"expected an image_id of the {len(found)} images in {where}, got {image!r}: list it")
        if not (isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box)):
            raise UsageError(f"expected a bbox [x, y, width, height] in {where}, got {str(box)[:60]}: mend it")
        area = each.get("area")
        area = box[2] * box[3] if area is None else area
        found[image].append(COCOBox(box, category, int(each.get("iscrowd") or 0), float(area)))
    return found


def _annotations(root: Path, split: str) -> Path | None:
    names = SPLIT_NAMES.get(split, (split,))
    whole = [f"annotations/instances_{name}{year}.json" for name in names for year in YEARS]
    usual = ("annotations/{}.json", "{}.json", "{}/_annotations.coco.json")
    other = [place.format(name) for name in names for place in usual]
    return next((root / place for place in (*whole, *other) if (root / place).is_file()), None)


def _images(root: Path, path: Path, split: str, names: Sequence[str]) -> list[Path]:
    """The files, in the first of the usual folders that holds the first of them."""
    kinds = [path.stem.removeprefix("instances_"), *SPLIT_NAMES.get(split, (split,))]
    usual: Iterable[Path] = (
        *([path.parent] if path.name.startswith("_") else []),
        *(root / part / kind for kind in kinds for part in (".", "images")),
        root / "images",
        root,
    )
    folders = list(usual)
    folder = next((each for each in folders if (each / names[0]).is_file()), folders[0])
    return [folder / name for name in names]
