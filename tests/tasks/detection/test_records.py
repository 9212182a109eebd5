"""The batch and the losses that detectors hand on."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pupil.errors import UsageError
from pupil.tasks.detection import DetectorRecord, TaskLosses, detector_call
from pupil.tasks.detection.records import Normalization
from tasks.detection.detectors import batch, detector


def test_normalization_of_a_transform():
    found = Normalization.of(detector("ssd", image_mean=[0.1, 0.2, 0.3]).transform)
    assert found == Normalization((0.1, 0.2, 0.3), (0.229, 0.224, 0.225), 1)
    found.check(dataclasses.replace(found))
    with pytest.raises(UsageError, match=r"image_std \(1.0, 1.0, 1.0\) of the student and \(0.229"):
        found.check(dataclasses.replace(found, image_std=(1.0, 1.0, 1.0)))


def test_a_batch_stands_in_for_an_image_list():
    model = detector("retinanet").eval()
    images, _ = model.transform(batch()[0])
    ours = detector_call(model)(model, batch()[0], None).batch[0]
    assert torch.equal(ours.tensors, images.tensors)
    assert ours.image_sizes == images.image_sizes
    assert len(ours) == 3


def test_sums_of_parts():
    parts = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([[3.0, 4.0]])}
    assert TaskLosses(parts).level_loss.tolist() == [[4.0, 6.0]]
    assert TaskLosses(parts).shared_loss is None
    assert TaskLosses(parts, {"c": torch.ones(2), "d": torch.ones(2)}).shared_loss.tolist() == [2.0, 2.0]


def test_an_output_that_is_not_there():
    with pytest.raises(UsageError, match="unknown output 'bbox_ctrness'"):
        DetectorRecord(("p3",), {"cls_logits": torch.zeros(1, 4, 2)}, anchors=(4,)).by_level("bbox_ctrness")
