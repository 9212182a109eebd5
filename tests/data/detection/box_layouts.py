"""Miniatures of the layouts in which detection data are unpacked or exported, a few small images each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.layouts import lines, picture
from data.miniature import save
from pupil.data.detection.coco import TRAFFIC

SIZE = (40, 60)
Row = tuple[Any, ...]


def voc_object(name: str, *box: object, difficult: object = 0) -> str:
    """An object of an annotation; without `difficult` where it is None."""
    sides = "".join(f"<{side}>{at}</{side}>" for side, at in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    flag = "" if difficult is None else f"<difficult>{difficult}</difficult>"
    return f"<object><name>{name}</name>{flag}<bndbox>{sides}</bndbox></object>"


def write_voc_layout(
    root: Path, objects: Mapping[str, Sequence[str]] | None = None, size: tuple[int, int] = SIZE
) -> Path:
    """3 images to train on, 2 to validate, 1 to test; each with a car and a difficult person, or what is given."""
    usual = [voc_object("car", 1, 1, 20, 10), voc_object("person", 11, 11, 30, 40, difficult=1)]
    for split, count in {"train": 3, "val": 2, "test": 1}.items():
        names = [f"{split}_{index}" for index in range(count)]
        lines(root / "ImageSets" / "Main" / f"{split}.txt", names)
        for seed, name in enumerate(names):
            save(root / "JPEGImages" / f"{name}.jpg", picture(size, seed))
            inside = "".join((objects or {}).get(name, usual))
            lines(root / "Annotations" / f"{name}.xml", [f"<annotation>{inside}</annotation>"])
    return root


def kitti_label(kind: str, *box: float, truncation: float = 0.0, occlusion: int = 0) -> str:
    return f"{kind} {truncation:.2f} {occlusion} -1.57 {' '.join(f'{side:.2f}' for side in box)} 1.5 1.6 4 1 1 10 -1.6"


def write_kitti_layout(root: Path, count: int = 10, size: tuple[int, int] = SIZE) -> Path:
    """Images with a car, a van, a pedestrian and a DontCare box, and no lists."""
    for index in range(count):
        save(root / "training" / "image_2" / f"{index:06}.png", picture(size, index))
        labels = [
            kitti_label("Car", 1, 2, 21, 12, truncation=0.25, occlusion=1),
            kitti_label("Van", 30, 2, 40, 12),
            kitti_label("Pedestrian", 5.5, 20, 9.5, 39),
            "DontCare -1 -1 -10 50.00 5.00 58.00 15.00 -1 -1 -1 -1000 -1000 -1000 -10",
        ]
        lines(root / "training" / "label_2" / f"{index:06}.txt", labels)
    return root


def coco_record(count: int, categories: Mapping[int, str], rows: Iterable[Row], size: tuple[int, int] = SIZE) -> Any:
    """Rows are (place of the image from 1, id of the category, bbox, whether a crowd)."""
    return {
        "images": [
            {"id": 100 + place, "file_name": f"{place:03}.jpg", "height": size[0], "width": size[1]}
            for place in range(1, count + 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
        "annotations": [
            {
                "id": number,
                "image_id": 100 + place,
                "category_id": category,
                "bbox": box,
                "area": box[2] * box[3] / 2,
                "iscrowd": crowd,
                "segmentation": [[0, 0, 1, 1, 2, 2]],
            }
            for number, (place, category, box, crowd) in enumerate(rows)
        ],
    }


CATEGORIES = {1: "person", 3: "car", 17: "cat", 90: "toothbrush"}
ROWS = [
    (1, 3, [2, 4, 10, 20], 0),
    (1, 90, [0, 0, 5, 5], 0),
    (1, 1, [0, 0, 60, 40], 1),
    (2, 17, [1, 1, 9, 9], 0),
    (2, 1, [30.5, 10, 10, 10], 0),
]


def write_coco_layout(root: Path, size: tuple[int, int] = SIZE) -> Path:
    """3 images to train on, the third without objects, and 2 to validate."""
    for split, count in {"train2017": 3, "val2017": 2}.items():
        record = coco_record(count, CATEGORIES, ROWS, size)
        lines(root / "annotations" / f"instances_{split}.json", [json.dumps(record)])
        for seed, entry in enumerate(record["images"]):
            save(root / split / entry["file_name"], picture(size, seed))
    return root


TRAFFIC_IDS = (1, 2, 3, 4, 6, 7, 8, 10, 11, 13, 14, 17, 18)


def write_traffic_layout(root: Path, size: tuple[int, int] = SIZE) -> Path:
    """COCO's 13 categories of traffic: in each split two images with a car, and one with a person alone."""
    rows = [(1, 3, [2, 4, 20, 20], 0), (2, 3, [5, 5, 30, 20], 0), (2, 1, [30, 10, 10, 20], 0), (3, 1, [0, 0, 9, 9], 0)]
    record = coco_record(3, dict(zip(TRAFFIC_IDS, TRAFFIC, strict=True)), rows, size)
    for split in ("train2017", "val2017"):
        lines(root / "annotations" / f"instances_{split}.json", [json.dumps(record)])
        for seed, entry in enumerate(record["images"]):
            save(root / split / entry["file_name"], picture(size, seed))
    return root


def write_yolo_layout(root: Path, size: tuple[int, int] = SIZE, *, nested: bool = False) -> Path:
    """`images/train` and `labels/train`, or `train/images` and `train/labels`; the last image has no label file."""
    for split, count in {"train": 3, "val": 2}.items():
        name = {"val": "valid"}.get(split, split) if nested else split
        for index in range(count):
            images, labels = (root / name / part if nested else root / part / name for part in ("images", "labels"))
            save(images / f"{index}.jpg", picture(size, index))
            if index < count - 1:
                lines(labels / f"{index}.txt", ["1 0.5 0.5 0.5 0.5", "0 0.1 0.25 0.1 0.1"])
    lines(root / "data.yaml", ["names: {0: person, 1: car}"])
    return root
