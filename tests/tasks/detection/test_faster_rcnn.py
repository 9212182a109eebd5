"""A Faster R-CNN's own losses: the first stage by level, the second shared, and the same draws as torchvision's."""

from __future__ import annotations

import copy

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from pupil.lesson import Lesson
from pupil.tasks.detection import detector_call
from pupil.teachers import FrozenTeacher
from tasks.detection.asked import asked
from tasks.detection.detectors import CLASSES, Pyramid, batch, detector

RPN = ("loss_objectness", "loss_rpn_box_reg")


def by_hand(model, images, pyramid, targets, seed=3):
    """Losses of the two stages as torchvision computes them, normalisation as in evaluation."""
    stages = copy.deepcopy((model.rpn, model.roi_heads))
    for stage in stages:
        stage.training = True
    rpn, roi_heads = stages
    with torch.no_grad():
        torch.manual_seed(seed)
        proposals, first = rpn(images, pyramid, targets)
        _, second = roi_heads(pyramid, proposals, images.image_sizes, targets)
    return first, second


@pytest.mark.parametrize("index", [0, 1, 2])
def test_levels_add_up_to_the_image(index):
    model = detector("faster_rcnn", 1).double().eval()
    images, targets = ([each[index]] for each in batch())
    torch.manual_seed(3)
    with torch.no_grad():
        shown = detector_call(model, losses=True)(model, [images[0].double()], targets)
    pyramid = {name: shown.features[name] for name in shown.output.levels}
    first, second = by_hand(model, *(shown.batch[0], pyramid, shown.batch[1]))
    losses = shown.output.task_losses
    for name in RPN:
        torch.testing.assert_close(losses.levels[name].sum(0)[0], first[name], rtol=1e-6, atol=1e-12)
    for name, loss in second.items():
        torch.testing.assert_close(losses.shared[name][0], loss, rtol=1e-6, atol=1e-12)
    assert (losses.levels["loss_objectness"] > 0).sum() > 1


def test_images_add_up_to_the_batch():
    model, images, targets, _, anchors, losses, pyramid = asked("faster_rcnn")
    first, second = by_hand(model, images, pyramid, targets)
    labels, _ = model.rpn.assign_targets_to_anchors(anchors, targets)
    torch.manual_seed(3)
    drawn = [torch.stack(list(each)).sum(1) for each in model.rpn.fg_bg_sampler(labels)]
    samples = drawn[0] + drawn[1]
    assert drawn[0][:2].min() > 0
    for name in RPN:
        mine = (losses.levels[name].sum(0) * samples).sum() / samples.sum()
        torch.testing.assert_close(mine, first[name], rtol=1e-6, atol=1e-12)
    assert {name: tuple(loss.shape) for name, loss in losses.shared.items()} == dict.fromkeys(second, (3,))
    assert losses.shared_loss[2] > 0


def test_a_teacher_draws_anew_at_every_step_and_moves_nothing():
    teacher = detector("faster_rcnn", 1)
    # Fewer samples than anchors, so that the draw matters.
    teacher.rpn.fg_bg_sampler.batch_size_per_image = 8
    frozen, student = FrozenTeacher(teacher, call=detector_call(teacher, losses=True)), detector("faster_rcnn")
    seen = detector_call(student)(student, *batch())
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        losses = frozen(Lesson(*seen.batch, seen)).output.task_losses
        assert torch.equal(torch.get_rng_state(), before)
        found.append(losses.level_loss)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not any(module.training for module in teacher.modules())
    assert "compute_loss" not in vars(teacher.rpn)


def test_strides_of_a_teacher_that_first_sees_a_small_image_in_a_large_batch():
    teacher = detector("faster_rcnn", 1, max_size=256).eval()
    images = [torch.rand(3, 64, 64), torch.rand(3, 250, 64)]
    target = {"boxes": torch.tensor([[4.0, 6, 20, 30]]), "labels": torch.tensor([1])}
    with torch.no_grad():
        detector_call(teacher, losses=True)(teacher, images, [target, target])
    assert teacher.roi_heads.box_roi_pool.scales == [1 / 8, 1 / 16, 1 / 32]


def test_logits_of_a_teacher_on_the_proposals_of_the_student():
    student, teacher = detector("faster_rcnn"), detector("faster_rcnn", 1)
    seen = detector_call(student)(student, *batch())
    proposals = seen.output.proposals
    shown = FrozenTeacher(teacher, call=detector_call(teacher))(Lesson(*seen.batch, seen))
    assert len(proposals) == 3
    assert shown.output.proposals is proposals
    assert shown.features["class_logits"].shape == seen.features["class_logits"].shape
    assert len(shown.features["class_logits"]) == sum(map(len, proposals))
    assert seen.features["class_logits"].requires_grad
    twin = FrozenTeacher(copy.deepcopy(student), call=detector_call(student))(Lesson(*seen.batch, seen))
    assert twin.features["box_regression"].shape == (sum(map(len, proposals)), 4 * (CLASSES + 1))


def test_mask_r_cnn_adds_its_own():
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    torch.manual_seed(0)
    names, anchors = ["p3", "p4", "p5"], AnchorGenerator(((12,), (24,), (48,)), ((1.0,),) * 3)
    pools = {"box_roi_pool": MultiScaleRoIAlign(names, 3, 2), "mask_roi_pool": MultiScaleRoIAlign(names, 4, 2)}
    model = MaskRCNN(Pyramid(), CLASSES + 1, rpn_anchor_generator=anchors, **pools, min_size=64, max_size=96)
    images, targets = batch(empty=False)
    for image, target in zip(images, targets, strict=True):
        target["masks"] = torch.ones(len(target["boxes"]), *image.shape[1:], dtype=torch.uint8)
    assert "loss_mask" in detector_call(model)(model, images, targets).output.losses
    with torch.no_grad():
        losses = detector_call(model, losses=True)(model.eval(), images, targets).output.task_losses
    assert losses.shared["loss_mask"].shape == (2,)


@pytest.mark.parametrize("kind", ["retinanet", "faster_rcnn"])
def test_a_pyramid_over_resnet18(kind):
    from torchvision.models.detection import FasterRCNN, RetinaNet
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    names = ("0", "1", "2", "3", "pool")
    make = RetinaNet if kind == "retinanet" else FasterRCNN
    model = make(backbone, 4, min_size=64, max_size=96)
    shown = detector_call(model)(model, *batch())
    assert shown.output.levels == names
    with torch.no_grad():
        again = detector_call(model, losses=True)(model.eval(), *shown.batch)
    assert again.output.task_losses.level_loss.shape == (5, 3)
