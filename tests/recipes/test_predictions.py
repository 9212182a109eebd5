from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from pupil.data.images import read_image, read_mask
from pupil.recipes.predictions import LIKELIEST, FoundBoxes, LanePoints, Masks, Probabilities, Writer
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.detection.task import DetectionTask
from pupil.tasks.lanes import LanesTask
from pupil.tasks.segmentation import SegmentationTask

IMAGE = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(0))
COLOURS = ((10, 20, 30), (200, 100, 50), (0, 0, 255))
NAN = float("nan")


def points() -> Tensor:
    """Two slots at three rows: a lane that is found at two of them, and none."""
    lane = [[2.0, 4.0], [3.25, 5.0], [NAN, 6.0]]
    return torch.tensor([lane, [[NAN, 4.0], [NAN, 5.0], [NAN, 6.0]]])


def written(writer: Writer, prediction: Tensor, names: tuple[str, ...] = ("b", "a")) -> str:
    for name in names:
        assert not any(path.exists() for path in writer.files(name)[:1])
        writer.add(name, Path(f"photos/{name}.jpg"), IMAGE, prediction)
    said = writer.close()
    assert all(path.is_file() for name in names for path in writer.files(name))
    return said


def test_masks_and_overlays(tmp_path: Path) -> None:
    task = SegmentationTask(["road", "car", "sky"], colours=COLOURS)
    ids = torch.arange(96).reshape(8, 12) % 3
    said = written(Masks(tmp_path / "out", task, COLOURS), ids)
    assert said == f"2 masks in {tmp_path}/out/masks, overlays in {tmp_path}/out/overlays"
    for name in "ab":
        assert (read_mask(tmp_path / "out" / "masks" / f"{name}.png") == ids.numpy()).all()
        with Image.open(tmp_path / "out" / "masks" / f"{name}.png") as mask:
            assert mask.getpalette()[:9] == [part for colour in COLOURS for part in colour]
        assert torch.equal(
            torch.as_tensor(read_image(tmp_path / "out" / "overlays" / f"{name}.png")), task.draw(IMAGE, ids)
        )


@pytest.mark.parametrize("count", [2, LIKELIEST, LIKELIEST + 3])
def test_a_table_of_the_likeliest_classes(tmp_path: Path, count: int) -> None:
    task = ClassificationTask([f"class, {index}" for index in range(count)])
    prediction = torch.arange(count, dtype=torch.float32).softmax(0)
    said = written(Probabilities(tmp_path / "out", task.classes), prediction)
    path, kept = tmp_path / "out" / "predictions.csv", min(count, LIKELIEST)
    assert said == f"the likeliest classes of 2 images in {path}"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["b.jpg", "a.jpg"]
    for row in rows:
        assert len(row) == 1 + 2 * kept
        for place in range(kept):
            index = count - 1 - place
            assert row[f"class {place + 1}"] == f"class, {index}"
            assert float(row[f"probability {place + 1}"]) == pytest.approx(float(prediction[index]), abs=1e-4)


def test_lanes_as_lines_of_tusimple(tmp_path: Path) -> None:
    task = LanesTask(["background", "lane 1", "lane 2"], rows=[0.5, 0.625, 0.75], colours=COLOURS)
    writer = LanePoints(tmp_path / "out", task)
    said = written(writer, points())
    assert said == f"the lanes of 2 images in {tmp_path}/out/lanes.json, overlays in {tmp_path}/out/overlays"
    records = [json.loads(line) for line in (tmp_path / "out" / "lanes.json").read_text().splitlines()]
    assert [record["raw_file"] for record in records] == ["b.jpg", "a.jpg"]
    for record in records:
        assert (record["h_samples"], record["lanes"]) == ([4, 5, 6], [[2.0, 3.25, -2]])
        overlay = read_image(tmp_path / "out" / "overlays" / Path(record["raw_file"]).with_suffix(".png"))
        assert torch.equal(torch.as_tensor(overlay), task.draw(IMAGE, points()))


def test_boxes_are_a_file_that_coco_reads(tmp_path: Path) -> None:
    coco = pytest.importorskip("faster_coco_eval")
    task = DetectionTask(["car", "person"], colours=COLOURS[1:], score=0.4)
    prediction = {
        "boxes": torch.tensor([[1.0, 2, 5, 4], [0, 0, 3, 3]]),
        "labels": torch.tensor([2, 1]),
        "scores": torch.tensor([0.75, 0.25]),
    }
    writer = FoundBoxes(tmp_path / "out", task)
    for name, path in (("b", "far/b.jpg"), ("a.png", "far/a.png")):
        writer.add(name, Path(path), IMAGE, prediction)
    said = writer.close()
    file = tmp_path / "out" / "boxes.json"
    assert said == f"4 boxes in 2 images, 2 of them drawn (--score 0.4): {file}, overlays in {tmp_path}/out/overlays"
    read = coco.COCO(str(file))
    assert [read.imgs[number]["file_name"] for number in sorted(read.imgs)] == ["b.jpg", "a.png"]
    assert sorted(read.anns) == [1, 2, 3, 4]
    assert read.anns[3] == {
        "id": 3,
        "image_id": 2,
        "category_id": 2,
        "bbox": [1.0, 2.0, 4.0, 2.0],
        "area": 8.0,
        "iscrowd": 0,
        "score": 0.75,
    }
    results = read.loadRes(json.loads(file.read_text())["annotations"])
    assert len(results.getAnnIds(catIds=[2])) == 2
    overlay = torch.as_tensor(read_image(tmp_path / "out" / "overlays" / "b.png"))
    assert torch.equal(overlay, task.overlay(IMAGE, prediction))


def test_what_is_all_of_one_file_is_named_by_it(tmp_path: Path) -> None:
    table = Probabilities(tmp_path, ["a", "b"])
    assert table.files("one") == table.files("two") == [tmp_path / "predictions.csv"]
    lanes = LanePoints(tmp_path, LanesTask(["background", "lane 1"], rows=[0.5, 0.75]))
    assert lanes.files("one") == [tmp_path / "overlays" / "one.png", tmp_path / "lanes.json"]
    assert lanes.files("one")[1:] == lanes.files("two")[1:]
