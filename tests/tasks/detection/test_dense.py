"""Losses of a dense head by level: against published numbers, and against the whole image."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from golden.reader import assert_value, golden
from pupil.tasks.detection import dense, detector_call
from tasks.detection.detectors import batch, detector

GOLDEN = golden("aid")


def test_focal_loss_of_a_published_case():
    from torchvision.models.detection.retinanet import RetinaNetClassificationHead

    case = next(case for case in GOLDEN.record["cases"] if case["name"] == "dense_teacher_loss")
    settings = case["hyperparameters"]
    logits, labels = (GOLDEN[case["inputs"][name]] for name in ("cls_logits", "labels"))
    classification = RetinaNetClassificationHead(1, 1, settings["num_classes"])

    class Head:
        def compute_loss(self, targets, head_outputs, anchors, matched_idxs):
            return {"cls": classification.compute_loss(targets, head_outputs, matched_idxs)}

    # A box for every class, so that the label of an anchor is the place of its box.
    target = {"labels": torch.arange(settings["num_classes"])}
    found = dense.level_losses(
        SimpleNamespace(head=Head()),
        [target] * len(labels),
        {"cls_logits": logits},
        torch.zeros(*labels.shape, 4),
        labels,
        settings["positions_per_level"],
    )
    assert_value(found["cls"], GOLDEN[case["outputs"]["cls_loss_level_image"]])


def test_matches_are_those_of_the_detector_and_it_stays_as_it_is():
    model = detector("retinanet").eval()
    shown = detector_call(model)(model, *batch())
    images, targets = shown.batch
    anchors = model.anchor_generator(images, [shown.features[name] for name in shown.output.levels])
    before = dict(vars(model.head)), dict(vars(model))
    matched = dense.matches(model, targets, shown.output.head, anchors)
    assert (dict(vars(model.head)), dict(vars(model))) == before
    expected = model.proposal_matcher(_iou(targets[0]["boxes"], anchors[0]))
    assert torch.equal(matched[0], expected)
    assert (matched[0] >= 0).any()
    assert (matched[2] == -1).all()


@pytest.mark.parametrize("kind", ["retinanet", "fcos"])
def test_a_subclass_may_build_on_the_detectors_own_losses(kind):
    model = detector(kind).eval()

    class Own(type(model)):
        def compute_loss(self, *args, **options):
            return {**super().compute_loss(*args, **options), "further": 1.0}

    expected, found = (_judged(model, own) for own in (type(model), Own))
    assert torch.equal(found.level_loss, expected.level_loss)


def _judged(model, kind):
    model.__class__ = kind
    return detector_call(model, losses=True)(model, *batch()).output.task_losses


def _iou(boxes, anchors):
    from torchvision.ops import box_iou

    return box_iou(boxes, anchors)
