"""An FCOS's own losses by level and image add up to what torchvision computes."""

from __future__ import annotations

import torch

from pupil.tasks.detection import fcos
from pupil.tasks.detection.dense import anchors_of_levels, level_losses, matches
from tasks.detection.asked import asked, counting
from tasks.detection.detectors import detector


def test_levels_add_up_to_the_image():
    model, _, targets, head, anchors, losses, pyramid = asked("fcos")
    sizes = list(anchors_of_levels(model, pyramid))
    for index, target in enumerate(targets):
        one = {name: output[index : index + 1] for name, output in head.items()}
        expected = model.compute_loss([target], one, [anchors[index]], sizes)
        for name, loss in expected.items():
            torch.testing.assert_close(losses.levels[name].sum(0)[index], loss, rtol=1e-9, atol=0)
    assert (losses.levels["bbox_regression"][:, :2] > 0).any(1).sum() > 1
    assert (losses.levels["bbox_regression"][:, 2] == 0).all()


def test_the_batch_is_the_mean_by_positives():
    model, _, targets, head, anchors, losses, pyramid = asked("fcos")
    sizes = list(anchors_of_levels(model, pyramid))
    # An image without boxes divides by 1, but has no positives to be weighted by: it is left out here.
    targets, anchors = targets[:2], anchors[:2]
    head = {name: output[:2] for name, output in head.items()}
    matched = matches(model, targets, head, anchors, sizes)
    positives = torch.stack([(each >= 0).sum() for each in matched])
    assert positives.min() > 0
    assert positives[0] != positives[1]
    for name, loss in model.compute_loss(targets, head, anchors, sizes).items():
        mine = losses.levels[name].sum(0)[:2]
        torch.testing.assert_close((mine * positives).sum() / positives.sum(), loss, rtol=1e-9, atol=0)


def level_by_level(model, targets, head, anchors, pyramid):
    """What the head itself says when it is asked about each level of each image."""
    sizes = anchors_of_levels(model, pyramid)
    return level_losses(model, targets, head, anchors, matches(model, targets, head, anchors, list(sizes)), sizes)


def test_a_level_of_an_image_is_what_the_head_says_of_it_alone():
    model, _, targets, head, anchors, losses, pyramid = asked("fcos")
    expected = level_by_level(model, targets, head, anchors, pyramid)
    assert losses.levels.keys() == expected.keys()
    for name, loss in expected.items():
        torch.testing.assert_close(losses.levels[name], loss, rtol=1e-9, atol=0)


def test_no_number_is_waited_for():
    model, images, targets, head, _, _, pyramid = asked("fcos")
    with counting() as counted:
        fcos.task_losses(model, images, pyramid, head, targets)
    assert counted.numbers == 0


def test_a_head_of_ones_own_is_asked_for_its_own_losses():
    class Own(type(detector("fcos").head)):
        def compute_loss(self, *inputs):
            return {name: 2 * loss for name, loss in super().compute_loss(*inputs).items()}

    model, images, targets, head, _, losses, pyramid = asked("fcos")
    model.head.__class__ = Own
    doubled = fcos.task_losses(model, images, pyramid, head, targets)
    for name, loss in losses.levels.items():
        torch.testing.assert_close(doubled.levels[name], 2 * loss, rtol=1e-9, atol=0)
