"""An SSD's own losses by image are what torchvision computes of that image alone."""

from __future__ import annotations

import torch

from tasks.detection.asked import asked
from tasks.detection.detectors import batch, detector


def test_an_image_alone():
    model, _, _, _, _, losses, _ = asked("ssd")
    images, targets = batch()
    # In training but for batch normalisation, of an image alone.
    model.training = True
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        with torch.no_grad():
            expected = model([image.double()], [target])
        for name, loss in expected.items():
            torch.testing.assert_close(losses.levels[name][0, index], loss, rtol=1e-9, atol=0)
    assert (losses.levels["bbox_regression"][0, :2] > 0).all()
    assert losses.level_loss[0, 2] == 0


def test_ssd_lite_is_one():
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    from pupil.tasks.detection import detector_call

    torch.manual_seed(0)
    model = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4)
    shown = detector_call(model)(model, *batch())
    assert shown.output.levels == ("0", "1", "2", "3", "4", "5")
    assert set(shown.output.losses) == {"classification", "bbox_regression"}
    assert sum(shown.output.anchors) == shown.features["cls_logits"].shape[1]
    assert type(detector("ssd")) in type(model).__mro__
