"""A RetinaNet's own losses by level and image add up to what torchvision computes."""

from __future__ import annotations

import torch

from tasks.detection.asked import asked


def test_levels_add_up_to_the_image():
    model, _, targets, head, anchors, losses, _ = asked("retinanet")
    for index, target in enumerate(targets):
        one = {name: output[index : index + 1] for name, output in head.items()}
        for name, loss in model.compute_loss([target], one, [anchors[index]]).items():
            torch.testing.assert_close(losses.levels[name].sum(0)[index], loss, rtol=1e-9, atol=0)
    assert (losses.levels["bbox_regression"][:, :2] > 0).any(1).sum() > 1
    assert (losses.levels["bbox_regression"][:, 2] == 0).all()


def test_the_batch_is_the_mean_of_the_images():
    model, _, targets, head, anchors, losses, _ = asked("retinanet")
    for name, loss in model.compute_loss(targets, head, anchors).items():
        torch.testing.assert_close(losses.levels[name].sum(0).mean(), loss, rtol=1e-9, atol=0)
