from __future__ import annotations

import math

import pytest
import torch

from losses.naive import pair
from pupil.errors import UsageError
from pupil.functional.importance import teacher_task_loss
from pupil.losses import AIDLoss, AttentionGuidedLoss, FBKDLoss
from pupil.losses.fbkd import SETTINGS

LEVELS = {"p3": (4, 6), "p4": (4, 6)}


def shown(channels, images=3):
    return {name: torch.randn(images, channels, size, size) for name, size in (("p3", 6), ("p4", 3))}


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_equals_the_loop_over_images(alpha):
    torch.manual_seed(0)
    student, teacher = pair(3, 4, 5, 5, dtype=torch.float32)
    part = AttentionGuidedLoss(4, 4)
    task_loss = [0.0, 0.5, 7.0]
    each = [part(student[[image]], teacher[[image]]).item() for image in range(3)]
    expected = sum(math.exp(-alpha * fit) * norm for fit, norm in zip(task_loss, each, strict=True)) / 3
    ours = AIDLoss(part, alpha=alpha)(student, teacher, torch.tensor(task_loss))
    assert ours.item() == pytest.approx(expected)


@pytest.mark.parametrize("granularity", ["level_image", "level", "image", "batch"])
def test_every_granularity_weighs_level_by_level(granularity):
    torch.manual_seed(0)
    base, student, teacher = FBKDLoss(LEVELS, inner_channels=[3]), shown(4), shown(6)
    task_loss = teacher_task_loss(torch.tensor([[0.1, 2.0, 4.0], [1.0, 0.0, 3.0]]), granularity=granularity)
    expected = 0.0
    for level, row in enumerate(torch.exp(-0.1 * task_loss).broadcast_to(2, 3)):
        rows = torch.zeros(2, 3)
        rows[level] = row
        expected += base(student, teacher, rows)
    torch.testing.assert_close(AIDLoss(base)(student, teacher, task_loss), expected)


def test_a_teacher_without_a_loss_is_imitated_fully():
    torch.manual_seed(0)
    base, student, teacher = FBKDLoss(LEVELS, inner_channels=[3]), shown(4), shown(6)
    torch.testing.assert_close(AIDLoss(base)(student, teacher, torch.zeros(2, 3)), base(student, teacher))
    worse = AIDLoss(base)(student, teacher, torch.full((2, 3), 5.0))
    torch.testing.assert_close(worse, math.exp(-0.5) * base(student, teacher))


def test_the_released_form_is_a_level_by_the_mean_of_the_batch():
    torch.manual_seed(0)
    base = FBKDLoss(LEVELS, SETTINGS["aid_two_stage"], inner_channels=[3], reduction="batch_norm")
    student, teacher, losses = shown(4), shown(6), torch.rand(2, 3)
    ours = AIDLoss(base)(student, teacher, teacher_task_loss(losses, granularity="level"))
    weights = torch.exp(-0.1 * losses.mean(1))
    torch.testing.assert_close(ours, base(student, teacher, weights[:, None]))
    with pytest.raises(UsageError, match="one norm over the batch"):
        AIDLoss(base)(student, teacher, losses)


def test_images_without_objects_count_unless_they_are_left_out():
    torch.manual_seed(0)
    base, student, teacher = FBKDLoss(LEVELS, inner_channels=[3]), shown(4), shown(6)
    for each in student.values():
        each.requires_grad_()
    loss, task_loss, objects = AIDLoss(base), torch.tensor([1.0, 0.0, 2.0]), torch.tensor([4, 0, 1])
    loss(student, teacher, task_loss).backward()
    assert student["p3"].grad[1].any()
    for per_level in (task_loss, task_loss.expand(2, 3), torch.zeros(2, 1)):
        student["p3"].grad = None
        loss.eval()(student, teacher, per_level, objects > 0).backward()
        assert [bool(image.any()) for image in student["p3"].grad] == [True, False, True]


def test_a_broken_label_costs_one_image():
    torch.manual_seed(0)
    part = AttentionGuidedLoss(4, 4)
    student, teacher = pair(2, 4, 3, 3, dtype=torch.float32)
    with pytest.warns(UserWarning, match="not finite"):
        loss = AIDLoss(part)(student, teacher, torch.tensor([math.nan, 0.0]))
    loss.backward()
    assert loss.isfinite()
    assert not student.grad[0].any()
    assert student.grad[1].any()


def test_no_gradient_reaches_the_teachers_loss():
    torch.manual_seed(0)
    student, teacher = pair(2, 4, 3, 3, dtype=torch.float32)
    task_loss = torch.ones(2, requires_grad=True)
    AIDLoss(AttentionGuidedLoss(4, 4))(student, teacher, task_loss).backward()
    assert task_loss.grad is None


def test_refuses_and_shows_alpha():
    part = AttentionGuidedLoss(4, 4)
    with pytest.raises(UsageError, match=r"expected alpha of at least 0, got -0\.1"):
        AIDLoss(part, alpha=-0.1)
    with pytest.raises(UsageError, match="got a negative one"):
        AIDLoss(part)(torch.zeros(2, 4, 3, 3), torch.zeros(2, 4, 3, 3), torch.tensor([-1.0, 0.0]))
    assert "alpha=0.1" in repr(AIDLoss(part))


def test_the_weights_are_shown_to_whoever_listens():
    loss = AIDLoss(AttentionGuidedLoss(4, 4), alpha=0.5)
    student, teacher = torch.randn(3, 4, 5, 5), torch.randn(3, 4, 5, 5)
    loss.trust.listening = True
    loss(student, teacher, torch.tensor([0.0, 1.0, 4.0]))
    assert loss.trust.take() == pytest.approx([1.0, math.exp(-0.5), math.exp(-2.0)])


@pytest.mark.parametrize("mean", [0.999, 0.95, 0.5, 0.1])
def test_the_advised_alpha_brings_the_mean_weight_to_the_typical_one(mean):
    alpha = 0.1
    said = AIDLoss(AttentionGuidedLoss(4, 4), alpha=alpha).trust.explain({"min": 0.1, "mean": mean, "max": 1.0})
    advised = float(said.split("alpha=")[1].split()[0])
    # Two digits are advised, and exp(-alpha' D) = exp(-alpha D) ** (alpha' / alpha).
    assert mean ** (advised / alpha) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("mean", [0.9, 0.8, 0.7, 0.0, 1.0])
def test_nothing_is_advised_where_the_weights_tell_something_apart_or_cannot(mean):
    said = AIDLoss(AttentionGuidedLoss(4, 4)).trust.explain({"min": 0.0, "mean": mean, "max": 1.0})
    assert "alpha=" not in said
