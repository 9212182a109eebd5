from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from losses.naive import pair
from pupil.errors import UsageError
from pupil.losses import NonLocalLoss, non_local_loss


def awake(loss):
    for block in (loss.student_block, loss.teacher_block):
        nn.init.ones_(block.norm.weight)
    return loss


def naive(block, feature):
    """A loop over pairs of positions, for maps that are not pooled and a BatchNorm in evaluation mode."""
    theta, phi, g = (layer(feature).flatten(2) for layer in (block.theta, block.phi, block.g))
    gathered = torch.zeros_like(theta)
    positions = range(theta.shape[2])
    for image in range(len(feature)):
        for here in positions:
            for there in positions:
                alike = sum(a * b for a, b in zip(theta[image, :, here], phi[image, :, there], strict=True))
                gathered[image, :, here] += alike * g[image, :, there] / len(positions)
    return feature + block.norm(block.out(gathered.view(*theta.shape[:2], *feature.shape[2:])))


def test_equals_the_loop_over_pairs_of_positions():
    torch.manual_seed(1)
    loss = awake(NonLocalLoss(3, 3, inner_channels=2, pool=1)).double().eval()
    student, teacher = pair(2, 3, 2, 3)
    ours = loss.adapter(naive(loss.student_block, student))
    theirs = naive(loss.teacher_block, teacher)
    each = [math.dist(a.flatten().tolist(), b.flatten().tolist()) for a, b in zip(ours, theirs, strict=True)]
    assert loss(student, teacher).item() == pytest.approx(sum(each) / 2)
    importance = torch.tensor([0.0, 0.5])
    assert loss(student, teacher, importance).item() == pytest.approx(each[1] / 4)
    loss.reduction = "batch_norm"
    assert loss(student, teacher).item() == pytest.approx(math.hypot(*each))


def test_the_target_moves_and_the_teacher_does_not():
    torch.manual_seed(0)
    loss = awake(NonLocalLoss(4, 6, inner_channels=3))
    teacher = nn.Conv2d(3, 6, 1)
    image = torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        feature = teacher(image)
    loss(torch.randn(2, 4, 6, 6), feature).backward()
    assert all(each.grad.any() for each in loss.teacher_block.parameters())
    loss.zero_grad()
    loss(torch.randn(2, 4, 6, 6), teacher(image)).backward()
    assert all(each.grad is None for each in teacher.parameters())


def test_a_target_that_is_held_still():
    loss = NonLocalLoss(4, 6, inner_channels=3, train_teacher_block=False)
    feature = torch.randn(2, 6, 6, 6)
    loss(torch.randn(2, 4, 6, 6), feature).backward()
    assert not any(each.requires_grad or each.grad is not None for each in loss.teacher_block.parameters())
    assert torch.equal(loss.teacher_block(feature), feature)


@pytest.mark.parametrize(("images", "size"), [(1, (1, 1)), (2, (1, 1)), (2, (1, 2))])
def test_tiny_levels(images, size):
    loss = awake(NonLocalLoss(4, 6, inner_channels=3, pool=8))
    student = torch.randn(images, 4, *size, requires_grad=True)
    value = loss(student, torch.randn(images, 6, *size))
    value.backward()
    assert value.isfinite()
    assert student.grad.isfinite().all()


def test_equal_relations_have_the_gradient_zero():
    same, student = nn.Identity(), torch.randn(2, 4, 3, 3, requires_grad=True)
    non_local_loss(student, student, student_block=same, teacher_block=same).backward()
    assert not student.grad.any()


def test_refuses():
    maps, same = torch.zeros(2, 3, 4, 4), nn.Identity()
    with pytest.raises(UsageError, match="expected one grid"):
        NonLocalLoss(3, 3)(maps, torch.zeros(2, 3, 8, 8))
    with pytest.raises(UsageError, match="let student_block end in the teacher's channels"):
        non_local_loss(maps, torch.zeros(2, 5, 4, 4), student_block=same, teacher_block=same)
    with torch.inference_mode():
        feature = torch.zeros(2, 3, 4, 4)
    with pytest.raises(UsageError, match="made under no_grad, got inference_mode"):
        NonLocalLoss(3, 3)(maps, feature)
    with pytest.raises(UsageError, match="unknown reduction 'mean'"):
        NonLocalLoss(3, 3, reduction="mean")
