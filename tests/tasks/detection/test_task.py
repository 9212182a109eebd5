"""The detection task: what it calls, how it trains, predicts, scores and draws."""

from __future__ import annotations

import inspect

import pytest
import torch

from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.taps import Tapped
from pupil.tasks.detection import DetectorRecord
from pupil.tasks.detection.task import DetectionLoss, DetectionTask
from pupil.tasks.task import Task
from tasks.detection.detectors import KINDS, batch, detector

CLASSES = ["car", "person", "sign"]
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.mark.parametrize("method", ["call", "objective", "predict", "metrics", "draw"])
def test_what_the_protocol_says(method):
    ours, expected = (inspect.signature(getattr(kind, method)) for kind in (DetectionTask, Task))
    assert list(ours.parameters) == list(expected.parameters)


@pytest.mark.parametrize(("metric", "score"), [("coco", "map"), ("voc", "map_50"), ("kitti", "ap_moderate")])
def test_metric_and_legend(metric, score):
    task = DetectionTask(CLASSES, metric=metric, colours=COLOURS)
    assert (task.name, task.metric) == ("detection", score)
    assert task.legend == dict(zip(CLASSES, COLOURS, strict=True))
    assert DetectionTask(CLASSES).legend == {}


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_a_batch(kind):
    task, model = DetectionTask(CLASSES), detector(kind)
    distiller = Distiller(Tapped(model, call=task.call), None, {"task": Term(*task.objective())})
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for _ in range(12):
        torch.manual_seed(0)
        loss = distiller(*batch())["task"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_the_model_in_pixels_of_the_image(kind):
    threshold = "box_score_thresh" if kind == "faster_rcnn" else "score_thresh"
    task, model = DetectionTask(CLASSES, metric="voc"), detector(kind, **{threshold: 0.0}).eval()
    images, targets = batch()
    found = task.predict(model, images)
    expected = model(images)
    assert len(found) == 3
    assert any((theirs["labels"] == 0).any() for theirs in expected) == (kind in ("retinanet", "fcos"))
    for ours, theirs, image in zip(found, expected, images, strict=True):
        # The background's channel wins some boxes of a one-stage detector that has learned nothing yet.
        assert torch.equal(ours["boxes"], theirs["boxes"][theirs["labels"] > 0])
        assert torch.equal(ours["labels"], theirs["labels"][theirs["labels"] > 0])
        assert not ours["boxes"].requires_grad
        assert len(ours["boxes"])
        assert ours["boxes"].max() <= max(image.shape)
    assert isinstance(task.call(model, images).output, DetectorRecord)
    scores = task.metrics()
    scores.update(found, targets)
    assert 0 <= scores.compute()["map_50"] <= 1


def test_a_tensor_of_images():
    model = detector("retinanet").eval()
    assert len(DetectionTask(CLASSES).predict(model, torch.rand(2, 3, 64, 64))) == 2


def test_drawn_boxes():
    task = DetectionTask(CLASSES, colours=COLOURS)
    image = torch.zeros(3, 40, 60)
    target = {"boxes": torch.tensor([[5.0, 5, 20, 20], [30, 5, 50, 30]]), "labels": torch.tensor([1, 0])}
    found = {
        "boxes": torch.tensor([[8.0, 8, 30, 30], [1, 1, 5, 5], [30, 30, 20, 20]]),
        "labels": torch.tensor([3, 2, 2]),
        "scores": torch.tensor([0.9, 0.2, 0.9]),
    }
    picture = task.draw(image, found, target)
    assert picture.shape == (3, 40, 120)
    assert picture.dtype == torch.uint8
    assert picture[:, 5, 10].tolist() == [255, 0, 0]
    assert picture[:, 8, 60 + 15].tolist() == [0, 0, 255]
    # Neither the object without a class, nor the unsure one, nor the inverted one.
    assert not (picture == torch.tensor(COLOURS[1])[:, None, None]).all(0).any()
    assert task.drawn(found).tolist() == [True, False, False]
    assert DetectionTask(CLASSES, score=0.1).drawn(found).tolist() == [True, True, False]
    assert task.overlay(image, found).shape == (3, 12 * 40, 12 * 60)
    assert task.draw(image, {**found, "scores": torch.zeros(3)}).sum() == 0
    with pytest.raises(UsageError, match="expected colours"):
        DetectionTask(CLASSES).draw(image, found)


def test_weights_of_losses():
    losses = {"a": torch.tensor(1.0), "b": torch.tensor(2.0)}
    assert DetectionLoss()(losses) == 3
    task = DetectionTask(CLASSES, objective={"weights": {"a": 3.0}})
    assert task.objective()[0](losses) == 5
    assert task.objective(weights={"b": 0.0})[0](losses) == 1
    with pytest.raises(UsageError, match="unknown loss 'c'"):
        DetectionLoss(weights={"c": 1.0})(losses)


def test_refusals():
    with pytest.raises(UsageError, match="unknown metric"):
        DetectionTask(CLASSES, metric="cocoo")
    with pytest.raises(UsageError, match=r"expected a score from 0 to 1 of the boxes to be drawn, got 1\.5"):
        DetectionTask(CLASSES, score=1.5)
    with pytest.raises(UsageError, match="at least one class"):
        DetectionTask([])
    task, model = DetectionTask(CLASSES), detector("fcos")
    with pytest.raises(UsageError, match="evaluation mode"):
        task.predict(model, batch()[0])
    model.classes = ("person", "car", "tree")
    with pytest.raises(UsageError, match="expected a network that knows the data's 3 classes, got none for sign"):
        task.predict(model.eval(), batch()[0])


def test_a_detector_of_more_classes_in_another_order():
    model, images = detector("fcos", score_thresh=0.0).eval(), batch()[0]
    plain = DetectionTask(CLASSES).predict(model, images)
    model.classes = ("person", "car", "sign")
    found = DetectionTask(["car", "person"]).predict(model, images)
    for ours, theirs in zip(found, plain, strict=True):
        assert ours.keys() == theirs.keys()
        for label, before in ((1, 2), (2, 1)):
            assert (theirs["labels"] == before).any()
            assert torch.equal(ours["boxes"][ours["labels"] == label], theirs["boxes"][theirs["labels"] == before])
        assert len(ours["boxes"]) == ((theirs["labels"] == 1) | (theirs["labels"] == 2)).sum()
