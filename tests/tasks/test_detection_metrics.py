"""Scores of detection: each benchmark by its own rules, over batches, empty images and missing entries."""

from __future__ import annotations

import math

import pytest
import torch
import torch.distributed as processes

from pupil.errors import UsageError
from pupil.metrics.kitti import KITTIDetections, KITTIObjects, kitti_scores
from pupil.tasks.detection_metrics import SCORES, DetectionMetrics

CLASSES = ("Car", "Pedestrian")


def boxes(*rows, labels, **further):
    shown = {"boxes": torch.tensor(rows).reshape(-1, 4).float(), "labels": torch.tensor(labels, dtype=torch.int64)}
    return shown | {name: torch.tensor(values) for name, values in further.items()}


CAR, WALKER, FAR = [0, 0, 60, 50], [100, 0, 130, 60], [200, 0, 203, 6]
TARGETS = [boxes(CAR, WALKER, labels=[1, 2]), boxes(CAR, labels=[1]), boxes(labels=[])]
RIGHT = [
    boxes(CAR, WALKER, labels=[1, 2], scores=[0.9, 0.8]),
    boxes(CAR, labels=[1], scores=[0.7]),
    boxes(labels=[], scores=[]),
]
WRONG = [*RIGHT[:2], boxes(CAR, labels=[1], scores=[0.95])]


def scored(metric, predictions, targets, classes=CLASSES):
    scores = DetectionMetrics(classes, metric)
    for prediction, target in zip(predictions, targets, strict=True):
        scores.update([prediction], [target])
    return scores.compute()


def test_voc():
    scores = scored("voc", RIGHT, TARGETS)
    assert next(iter(scores)) == "map_50"
    assert set(scores) == {"map_50", "map_50/Car", "map_50/Pedestrian"} | {"map_50_medium"}
    assert set(scores.values()) == {1.0}
    assert scored("voc", WRONG, TARGETS)["map_50/Car"] == pytest.approx(2 / 3)


def test_voc_difficult_and_unlabelled():
    target = boxes(CAR, WALKER, FAR, labels=[1, 2, 0], difficult=[0, 1, 0])
    found = boxes(CAR, FAR, labels=[1, 1], scores=[0.5, 0.9])
    scores = scored("voc", [found], [target])
    assert (scores["map_50"], scores["map_50/Car"]) == (1.0, 1.0)
    assert "map_50/Pedestrian" not in scores


def test_kitti_is_that_of_the_benchmark():
    # Truncated too far for easy and moderate, van beside a car, DontCare.
    target = boxes(CAR, WALKER, FAR, labels=[1, 0, 0], type=[0, 1, 8], truncation=[0.4, 0.0, 0.0], occlusion=[0, 0, 0])
    found = boxes(CAR, WALKER, [300, 0, 360, 50], labels=[1, 1, 1], scores=[0.5, 0.9, 0.7])
    many = [target] * 30, [found] * 30
    scores = scored("kitti", *reversed(many))
    whole = kitti_scores(
        [KITTIDetections(["Car"] * 3, found["boxes"], [0.5, 0.9, 0.7])] * 30,
        [KITTIObjects(["Car", "Van", "DontCare"], target["boxes"], [0.4, 0, 0], [0, 0, 0])] * 30,
    )
    assert scores["ap_hard/Car"] == pytest.approx(whole.ap40[0, 2])
    assert 0.3 < scores["ap_hard/Car"] < 0.6
    assert scores["ap_easy/Car"] == scores["ap_moderate/Car"] == 0
    assert scores["ap_hard"] == pytest.approx(scores["ap_hard/Car"] / 2)
    assert next(iter(scores)) == "ap_moderate"
    assert scores["ap11_hard/Car"] == pytest.approx(whole.ap11[0, 2]) != pytest.approx(whole.ap40[0, 2])
    assert scores["ap11_hard"] == pytest.approx(scores["ap11_hard/Car"] / 2)


@pytest.mark.parametrize(
    ("truncation", "top", "bottom", "levels"),
    [
        (0.15, 0.0, 100.0, ["easy", "moderate", "hard"]),
        (0.3, 0.0, 100.0, ["moderate", "hard"]),
        (0.5, 0.0, 100.0, ["hard"]),
        # As float32 the height is above 25 by a hair.
        (0.0, 20.33, 45.33, []),
        (0.0, 20.33, 45.34, ["moderate", "hard"]),
    ],
)
def test_kitti_at_the_very_limits_of_a_level(truncation, top, bottom, levels):
    target = boxes([0.0, top, 200, bottom], labels=[1], type=[0], truncation=[truncation], occlusion=[0])
    found = boxes([0.0, top, 200, bottom], labels=[1], scores=[0.9])
    scores = scored("kitti", [found] * 41, [target] * 41)
    assert [level for level in ("easy", "moderate", "hard") if scores[f"ap_{level}/Car"] == 1] == levels


def test_kitti_of_own_data():
    scores = scored("kitti", RIGHT * 50, TARGETS * 50)
    assert scores["ap_moderate/Car"] == scores["ap_easy/Pedestrian"] == pytest.approx(39 / 40, abs=0.03)
    assert scores["map_50"] == 1


def test_coco():
    pytest.importorskip("faster_coco_eval")
    found = scored("coco", RIGHT, TARGETS)
    assert found["map"] == found["map/Car"] == found["map_75"] == pytest.approx(1)
    assert "map_large" not in found
    wrong = scored("coco", WRONG, TARGETS)
    assert wrong["map/Car"] == pytest.approx(2 / 3, abs=0.01)
    assert wrong["map"] == pytest.approx((wrong["map/Car"] + 1) / 2)


def test_coco_sizes_crowds_and_what_has_no_class():
    pytest.importorskip("faster_coco_eval")
    target = boxes(CAR, FAR, WALKER, labels=[1, 1, 0], area=[3000.0, 18.0, 1800.0], iscrowd=[0, 0, 0])
    found = scored("coco", [boxes(CAR, labels=[1], scores=[0.9])], [target])
    assert found["map_medium"] == pytest.approx(1)
    assert found["map_small"] == 0
    assert "map/Pedestrian" not in found
    crowd = boxes(CAR, WALKER, labels=[1, 1], area=[3000.0, 1800.0], iscrowd=[0, 1])
    twice = boxes(CAR, WALKER, WALKER, labels=[1, 1, 1], scores=[0.5, 0.9, 0.8])
    assert scored("coco", [twice], [crowd])["map/Car"] == pytest.approx(1)


def test_coco_of_many_detections():
    pytest.importorskip("faster_coco_eval")
    many = boxes(*[CAR] * 150, labels=[1] * 150, scores=[1 - place / 200 for place in range(150)])
    assert scored("coco", [many], [TARGETS[1]])["map"] == pytest.approx(1)


@pytest.mark.parametrize("metric", ["voc", "coco"])
def test_nothing_to_find(metric):
    if metric == "coco":
        pytest.importorskip("faster_coco_eval")
    scores = scored(metric, RIGHT[2:], TARGETS[2:])
    assert list(scores) == [SCORES[metric]]
    assert math.isnan(scores[SCORES[metric]])


def counted(rank, address, results):
    processes.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    scores = DetectionMetrics(CLASSES, "voc")
    if rank == 0:
        scores.update(RIGHT[:2], TARGETS[:2])
    torch.save(scores.compute(), f"{results}/{rank}.pt")
    processes.destroy_process_group()


@pytest.mark.slow
def test_a_process_without_any_image_is_told_the_scores(tmp_path):
    torch.multiprocessing.spawn(counted, (f"file://{tmp_path}/meeting", str(tmp_path)), nprocs=2)
    for rank in (0, 1):
        assert torch.load(f"{tmp_path}/{rank}.pt", weights_only=True) == scored("voc", RIGHT[:2], TARGETS[:2])


def test_data_set_types():
    from torchvision import tv_tensors

    target = {**TARGETS[1], "boxes": tv_tensors.BoundingBoxes([CAR], format="XYXY", canvas_size=(60, 300))}
    assert scored("voc", [RIGHT[1]], [target])["map_50"] == 1


def test_refusals(monkeypatch):
    with pytest.raises(UsageError, match="unknown metric 'cocoo': did you mean coco"):
        DetectionMetrics(CLASSES, "cocoo")
    with pytest.raises(UsageError, match="one dict an image, got 1 predictions and 2 targets"):
        DetectionMetrics(CLASSES, "voc").update(RIGHT[:1], TARGETS[:2])
    monkeypatch.setitem(__import__("sys").modules, "faster_coco_eval", None)
    with pytest.raises(UsageError, match=r'pip install "pupil-kd\[detection\]"'):
        DetectionMetrics(CLASSES, "coco")
