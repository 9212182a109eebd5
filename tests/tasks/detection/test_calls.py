"""A detector shows itself to a distiller, and trains as it does without one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.lesson import Lesson
from pupil.taps import Tapped, dry_run
from pupil.tasks.detection import DetectorRecord, ImageBatch, detector_call
from pupil.teachers import FrozenTeacher
from tasks.detection.detectors import KINDS, batch, detector

LOSSES = {
    "retinanet": {"classification", "bbox_regression"},
    "fcos": {"classification", "bbox_regression", "bbox_ctrness"},
    "ssd": {"classification", "bbox_regression"},
    "faster_rcnn": {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


class OwnLosses(nn.Module):
    def forward(self, losses):
        return sum(losses.values())


class Distance(nn.Module):
    def forward(self, pairs, loss):
        weights = torch.exp(-0.1 * loss)
        return sum(((ours - theirs) ** 2).mean() for ours, theirs in pairs) * weights.mean()


def own_losses(lesson):
    return (lesson.student.output.losses,)


def levels(lesson):
    names = lesson.student.output.levels
    pairs = [(lesson.student.features[name], lesson.teacher.features[name]) for name in names]
    return pairs, lesson.teacher.output.task_losses.level_loss


def state_of(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_equal_states(ours, theirs):
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@every_kind
def test_training_is_that_of_torchvision_step_for_step(kind):
    options = {} if kind == "ssd" else {"min_size": (48, 64)}
    plain = detector(kind, **options)
    shown = copy.deepcopy(plain)
    call, results = detector_call(shown), []
    for model, ask in (
        (plain, lambda *inputs: plain(*inputs)),
        (shown, lambda *inputs: call(shown, *inputs).output.losses),
    ):
        torch.manual_seed(1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        history = []
        for step in range(2):
            losses = ask(*batch(step))
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
            history.append({name: loss.item() for name, loss in losses.items()})
        results.append((history, torch.get_rng_state()))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])
    assert set(results[0][0][0]) == LOSSES[kind]
    assert_equal_states(shown.state_dict(), plain.state_dict())
    assert not any(module._forward_hooks for module in shown.modules())


@every_kind
def test_what_a_student_shows(kind):
    model = detector(kind)
    shown = detector_call(model)(model, *batch())
    images, targets = shown.batch
    assert isinstance(shown.output, DetectorRecord)
    assert shown.output.levels == ("p3", "p4", "p5")
    assert [tuple(shown.features[name].shape[-2:]) for name in shown.output.levels] == [
        tuple(side // stride for side in images.tensors.shape[-2:]) for stride in (8, 16, 32)
    ]
    assert all(shown.features[name].requires_grad for name in shown.output.levels)
    assert all(shown.features[name] is output for name, output in shown.output.head.items())
    assert len(images) == len(targets) == 3
    height, width = images.image_sizes[1]
    ratio = torch.tensor([width / 72, height / 56]).repeat(2)
    torch.testing.assert_close(targets[1]["boxes"], torch.tensor([[10.0, 10, 40, 34]]) * ratio)
    assert shown.output.task_losses is None


@every_kind
def test_a_hook_that_fails_leaves_no_trace(kind):
    model = detector(kind)
    images, targets = batch()
    targets[0]["boxes"] = targets[0]["boxes"][:, [2, 1, 0, 3]]
    with pytest.raises(AssertionError, match="positive height and width"):
        detector_call(model)(model, images, targets)
    assert not any(module._forward_hooks for module in model.modules())


@every_kind
def test_a_teacher_takes_the_transformed_batch_as_it_is(kind):
    student, teacher = detector(kind, 0), detector(kind, 1, **({} if kind == "ssd" else {"min_size": 48}))
    images, targets = batch()
    seen = detector_call(student)(student, images, targets)
    frozen = FrozenTeacher(teacher, call=detector_call(teacher))
    shown = frozen(Lesson(*seen.batch, seen))
    expected = teacher.backbone(seen.batch[0].tensors)
    for name in seen.output.levels:
        torch.testing.assert_close(shown.features[name], expected[name])
        assert shown.features[name].shape == seen.features[name].shape
        assert not shown.features[name].requires_grad
    assert shown.output.losses == {}
    assert shown.output.task_losses is None


@every_kind
def test_head_of_a_teacher_is_that_of_its_own_prediction(kind):
    model = detector(kind).eval()
    images, _ = batch()
    with torch.no_grad():
        shown = detector_call(model)(model, images, None)
        again = detector_call(model)(model, *shown.batch)
    assert isinstance(shown.batch[0], ImageBatch)
    for name, feature in shown.features.items():
        assert torch.equal(again.features[name], feature)
    assert bool(shown.output.head) == (kind != "faster_rcnn")


@every_kind
def test_levels_of_a_head(kind):
    model = detector(kind)
    record = detector_call(model)(model, *batch()).output
    if kind == "faster_rcnn":
        with pytest.raises(UsageError, match="two-stage"):
            record.by_level("class_logits")
        return
    for name, output in record.head.items():
        parts = record.by_level(name)
        assert [part.shape[1] for part in parts] == list(record.anchors)
        assert torch.equal(torch.cat(parts, 1), output)
    with pytest.raises(UsageError, match=r"unknown output 'logits'.*cls_logits"):
        record.by_level("logits")


def distilled(kind, losses, steps=2, weighed=True):
    """The student after a few steps with a teacher, and the teacher before and after."""
    student, teacher = detector(kind, 0), detector(kind, 1)
    before = state_of(teacher)
    call = detector_call(teacher, losses=losses)
    terms = {"task": Term(OwnLosses(), own_losses)}
    if weighed:
        terms["aid"] = Term(Distance(), levels, weight=0.1)
    distiller = Distiller(Tapped(student, call=detector_call(student)), FrozenTeacher(teacher, call=call), terms)
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.01)
    torch.manual_seed(5)
    for step in range(steps):
        optimizer.zero_grad()
        sum(distiller.train()(*batch(step)).values()).backward()
        optimizer.step()
    return student, before, teacher


@every_kind
def test_a_teacher_is_bit_identical_after_training(kind):
    _, before, teacher = distilled(kind, losses=True)
    assert_equal_states(teacher.state_dict(), before)
    assert not any(module.training for module in teacher.modules())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not any(module._forward_hooks for module in teacher.modules())


@every_kind
def test_asking_a_teacher_for_its_losses_changes_nothing_for_the_student(kind):
    ends = []
    for losses in (False, True):
        student, _, _ = distilled(kind, losses, weighed=False)
        ends.append((state_of(student), torch.get_rng_state()))
    assert_equal_states(*(state for state, _ in ends))
    assert torch.equal(*(state for _, state in ends))


@every_kind
def test_losses_of_a_teacher_by_level_and_image(kind):
    teacher = detector(kind, 1).eval()
    images, targets = batch()
    with torch.no_grad():
        losses = detector_call(teacher, losses=True)(teacher, images, targets).output.task_losses
    assert losses.level_loss.shape == ((1 if kind == "ssd" else 3), 3)
    assert set(losses.levels) | set(losses.shared) == LOSSES[kind]
    assert bool(losses.shared) == (kind == "faster_rcnn")
    assert losses.level_loss.isfinite().all()
    assert (losses.level_loss >= 0).all()
    assert losses.level_loss[:, 0].sum() != losses.level_loss[:, 1].sum()


@every_kind
def test_dry_run(kind):
    model = detector(kind)
    before = state_of(model)
    found = dry_run(model, batch()[0], detector_call(model))
    assert found.features["p4"][:2] == (3, 12 if kind == "ssd" else 32)
    assert found.shape("backbone.down.1")[1] == 8
    assert_equal_states(model.state_dict(), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_mean": [0.5, 0.5, 0.5]}, r"got image_mean \(0.485, 0.456, 0.406\) of the student and \(0.5,"),
        ({"image_std": [1.0, 1.0, 1.0]}, "got image_std"),
        ({"size_divisible": 16}, "got size_divisible 32 of the student and 16 of the teacher"),
    ],
)
def test_transforms_have_to_agree(options, message):
    student, teacher = detector("retinanet"), detector("fcos", **options).eval()
    seen = detector_call(student)(student, *batch())
    with pytest.raises(UsageError, match=message):
        detector_call(teacher)(teacher, *seen.batch)


def test_a_teacher_of_another_family():
    student, teacher = detector("retinanet"), detector("faster_rcnn").eval()
    seen = detector_call(student)(student, *batch())
    shown = detector_call(teacher, losses=True)(teacher, *seen.batch)
    assert shown.output.task_losses.level_loss.shape == (3, 3)
    assert shown.output.head == {}


def test_training_needs_targets():
    model = detector("fcos")
    with pytest.raises(UsageError, match="expected targets in training"):
        detector_call(model)(model, batch()[0], None)


def test_a_backbone_of_one_map():
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    backbone = nn.Conv2d(3, 8, 16, 16)
    backbone.out_channels = 8
    anchors = AnchorGenerator(((16, 32),), ((1.0,),))
    model = RetinaNet(backbone, 4, anchor_generator=anchors, min_size=64, max_size=96)
    assert detector_call(model)(model, *batch()).output.levels == ("0",)
    shown = detector_call(model, losses=True)(model.eval(), *batch())
    assert shown.output.task_losses.level_loss.shape == (1, 3)
