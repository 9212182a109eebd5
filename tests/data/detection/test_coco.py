"""COCO's JSON: ids with gaps, crowds, other exports of the same form, and the traffic in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.detection.box_layouts import CATEGORIES, ROWS, SIZE, TRAFFIC_IDS, coco_record, write_coco_layout
from data.layouts import lines, picture
from data.miniature import save
from pupil.data.detection.coco import TRAFFIC, COCOBoxes, COCOTraffic
from pupil.errors import UsageError


def write(root: Path, record: Any, place: str = "annotations/instances_train2017.json") -> Path:
    return lines(root / place, [record if isinstance(record, str) else json.dumps(record)])


def test_labels_follow_the_ids_without_their_gaps(tmp_path: Path) -> None:
    train = COCOBoxes(write_coco_layout(tmp_path), "train")
    assert (train.classes, train.ids) == (("person", "car", "cat", "toothbrush"), (1, 3, 17, 90))
    assert train.image_ids == [101, 102, 103]
    target = train[0][1]
    assert target["labels"].tolist() == [2, 4]
    assert target["boxes"].tolist() == [[2, 4, 12, 24], [0, 0, 5, 5]]
    assert target["area"].tolist() == [100, 12.5]
    assert train[2][1]["boxes"].shape == (0, 4)


def test_crowds_are_there_to_be_scored_on(tmp_path: Path) -> None:
    val = COCOBoxes(write_coco_layout(tmp_path), "val")
    assert (val[0][1]["labels"].tolist(), val[0][1]["iscrowd"].tolist()) == ([2, 4, 1], [0, 0, 1])
    assert len(COCOBoxes(tmp_path, "train")[0][1]["labels"]) == 2


def test_some_categories_in_another_order(tmp_path: Path) -> None:
    some = COCOBoxes(write_coco_layout(tmp_path), "train", classes=["toothbrush", "person"])
    assert (some.ids, some[0][1]["labels"].tolist(), len(some)) == ((90, 1), [1], 3)
    with pytest.raises(UsageError, match="unknown category 'persn': did you mean person"):
        COCOBoxes(tmp_path, "train", classes=["persn"])


def test_traffic(tmp_path: Path) -> None:
    categories = {**dict(zip(TRAFFIC_IDS, TRAFFIC, strict=True)), 5: "airplane"}
    rows = [
        (1, 1, [0, 0, 9, 9], 0),  # a person alone
        (2, 1, [0, 0, 9, 9], 0),
        (2, 10, [9, 9, 9, 9], 0),
        (2, 5, [20, 20, 9, 9], 0),
        (3, 14, [0, 0, 9, 9], 0),  # a parking meter alone
        (4, 18, [0, 0, 9, 9], 0),
        (4, 13, [0, 0, 8, 9], 0),
    ]
    for seed, entry in enumerate(coco_record(5, categories, rows)["images"]):
        save(tmp_path / "train2017" / entry["file_name"], picture(SIZE, seed))
    write(tmp_path, coco_record(5, categories, rows))
    train = COCOTraffic(tmp_path, "train")
    assert (train.classes, train.ids, train.names) == (TRAFFIC, TRAFFIC_IDS, ["002", "004"])
    assert [train[index][1]["labels"].tolist() for index in range(2)] == [[1, 8], [13, 10]]


@pytest.mark.parametrize(
    ("place", "images"),
    [
        ("annotations/instances_train2014.json", "train2014"),
        ("annotations/instances_train2017.json", "images/train2017"),
        ("annotations/instances_train.json", "images"),
        ("annotations/train.json", "train"),
        ("annotations/train.json", "images/train"),
        ("train.json", "train"),
        ("train.json", "images"),
        ("train/_annotations.coco.json", "train"),
    ],
)
def test_where_exports_put_their_files(tmp_path: Path, place: str, images: str) -> None:
    record = coco_record(2, CATEGORIES, ROWS)
    for entry in record["images"]:
        save(tmp_path / images / entry["file_name"], picture(SIZE))
        del entry["height"]
    for each in record["annotations"]:
        del each["area"]
    write(tmp_path, record, place)
    assert COCOBoxes.fits(tmp_path)
    train = COCOBoxes(tmp_path, "train")
    assert train[0][1]["area"].tolist() == [200, 25]


def changed(kind: str, **values: Any) -> Any:
    record = coco_record(2, CATEGORIES, ROWS)
    record[kind][1].update(values)
    return record


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ('{"images": [}', r"expected JSON in .*train2017\.json, got a broken file \(.*line 1 column 13 .*\): export"),
        ([], "expected an object with lists images, annotations, categories"),
        ({"images": [], "annotations": []}, 'got no list "categories"'),
        (
            {"images": [{"id": 1}], "annotations": [], "categories": []},
            r"expected file_name, id in .*, images\[0\], got",
        ),
        ({"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}, "expected images in .*, got none"),
        (
            changed("annotations", category_id=2),
            r"category_id of the 4 categories in .*, annotations\[1\], got 2: name it",
        ),
        (changed("annotations", image_id=7), r"image_id of the 2 images in .*, annotations\[1\], got 7: list it"),
        (changed("annotations", bbox=[1, 2, 3]), r"bbox \[x, y, width, height\] in .*\[1\], got \[1, 2, 3\]"),
        (changed("categories", name="person"), "expected class names that differ"),
        (
            changed("images", id=101),
            r"of its own for each of the images in .*, got 101 in images\[0\] and images\[1\]: number",
        ),
        (
            changed("categories", id=1),
            r"an id of its own for each of the categories in .*, got 1 in categories\[0\] and",
        ),
        (
            changed("categories", id="2"),
            r"expected a number as id in .*, categories\[1\], got '2': mend it",
        ),
        (changed("images", width="abc"), r"expected a number as width in .*, images\[1\], got 'abc'"),
        (changed("images", file_name=7), r"expected a text as file_name in .*, images\[1\], got 7: mend it"),
        (changed("annotations", area=[]), r"expected a number as area in .*, annotations\[1\], got \[\]: mend it"),
        (changed("annotations", iscrowd="no"), r"a number as iscrowd in .*, annotations\[1\], got 'no': mend it"),
        (
            changed("annotations", category_id=[3]),
            r"a number or a text as category_id in .*, annotations\[1\], got \[3\]: mend it",
        ),
    ],
)
def test_files_that_are_broken(tmp_path: Path, record: Any, said: str) -> None:
    write(tmp_path, record)
    with pytest.raises(UsageError, match=said):
        COCOBoxes(tmp_path, "train")


def test_images_that_are_missing_or_were_resized(tmp_path: Path) -> None:
    write_coco_layout(tmp_path)
    save(tmp_path / "train2017" / "001.jpg", picture((20, 30)))
    with pytest.raises(UsageError, match="to have the size that its labels say, 60x40, got 30x20"):
        COCOBoxes(tmp_path, "train")[0]
    (tmp_path / "train2017" / "002.jpg").unlink()
    with pytest.raises(UsageError, match=r"got none for 1 of 3, first .*train2017.002\.jpg"):
        COCOBoxes(tmp_path, "train")
    with pytest.raises(UsageError, match=r"expected annotations/instances_test2017\.json"):
        COCOBoxes(tmp_path, "test")


def test_boxes_without_area_name_file_and_image(tmp_path: Path) -> None:
    write_coco_layout(tmp_path)
    write(tmp_path, changed("annotations", bbox=[5, 5, 0, 9]))
    assert COCOBoxes(tmp_path, "train").mended.without_area == 1
    with pytest.raises(UsageError, match=r"instances_train2017\.json, image 001\.jpg, got .* as box 2"):
        COCOBoxes(tmp_path, "train", strict=True)
