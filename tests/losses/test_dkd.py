"""Decoupled distillation: the definition as loops over images, its tie to ordinary distillation, and edges."""

from __future__ import annotations

import pytest
import torch

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.losses import DKDLoss, dkd_loss, kd_loss


def naive_image(ours, theirs, target, temperature, target_weight, other_weight):
    binary, others = [], []
    for logits in (theirs, ours):
        probabilities = softmax(logits, temperature)
        binary.append([probabilities[target], 1 - probabilities[target]])
        others.append(softmax([each for k, each in enumerate(logits) if k != target], temperature))
    return temperature**2 * (target_weight * kl(*binary) + other_weight * kl(*others))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_equals_the_loop_over_images(temperature):
    student, teacher = pair(6, 5)
    target = torch.tensor([0, 4, 2, 2, 1, 3])
    settings = {"temperature": temperature, "target_weight": 0.7, "other_weight": 3.0}
    terms = [
        naive_image(ours.tolist(), theirs.tolist(), label, *settings.values())
        for ours, theirs, label in zip(student, teacher, target.tolist(), strict=True)
    ]
    assert dkd_loss(student, teacher, target, **settings).item() == pytest.approx(sum(terms) / 6, rel=1e-10)


def test_positions_of_no_class_and_hidden_ones_take_no_part():
    student, teacher = pair(2, 5, 3, 4)
    target = torch.arange(24).reshape(2, 3, 4) % 5
    target[0, 0], target[0, 1, 1], target[1, 2, 2], target[1, 0, 0] = 255, -100, 5, -1
    valid = torch.arange(24).reshape(2, 3, 4) % 7 != 0
    counts = valid & (target >= 0) & (target < 5)
    loss = dkd_loss(student, teacher, target, valid)
    rows = [logits.movedim(1, -1)[counts] for logits in (student, teacher)]
    torch.testing.assert_close(loss, dkd_loss(*rows, target[counts]))
    loss.backward()
    assert not student.grad.movedim(1, -1)[~counts].any()


def test_ordinary_distillation_is_one_weighting_of_it():
    student, teacher = pair(1, 5)
    target = torch.tensor([3])
    for temperature in (1.0, 4.0):
        unsure = 1 - (teacher / temperature).softmax(1)[0, 3].item()
        ours = dkd_loss(student, teacher, target, temperature=temperature, other_weight=unsure)
        torch.testing.assert_close(ours, kd_loss(student, teacher, temperature=temperature))


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 2, 3), (3, 2)])
def test_gradient(shape):
    student, teacher = pair(*shape)
    target = torch.arange(shape[0] * max(1, teacher[0, 0].numel())).reshape(shape[0], *shape[2:]) % shape[1]
    assert torch.autograd.gradcheck(lambda logits: dkd_loss(logits, teacher, target), student)


def test_certainty_stays_finite_where_a_probability_has_no_logarithm():
    student = torch.tensor([[500.0, 0.0, -500.0]], requires_grad=True)
    for target in range(3):
        loss = dkd_loss(student, torch.tensor([[0.0, 400.0, 1.0]]), torch.tensor([target]), temperature=1.0)
        loss.backward()
        assert loss.isfinite()
        assert student.grad.isfinite().all()


@pytest.mark.parametrize("target", [torch.rand(3, 4), torch.rand(3), torch.zeros(3, 4, dtype=torch.long)])
def test_mixed_targets_are_refused(target):
    with pytest.raises(UsageError, match=r"expected one class id for each position, integers of shape \(3,\), got .*"):
        dkd_loss(torch.zeros(3, 4), torch.zeros(3, 4), target)


def test_mistakes_are_refused():
    target = torch.zeros(3, dtype=torch.long)
    with pytest.raises(UsageError, match="no other class than the target"):
        dkd_loss(torch.zeros(3, 1), torch.zeros(3, 1), target)
    with pytest.raises(UsageError, match="use a teacher with the student's classes"):
        dkd_loss(torch.zeros(3, 4), torch.zeros(3, 5), target)
    with pytest.raises(UsageError, match="expected a temperature above zero"):
        DKDLoss(temperature=0.0)


def test_the_module_passes_its_settings_on():
    student, teacher = pair(3, 4)
    target, settings = torch.tensor([0, 3, 1]), {"temperature": 2.0, "target_weight": 0.5, "other_weight": 2.0}
    assert torch.equal(DKDLoss(**settings)(student, teacher, target), dkd_loss(student, teacher, target, **settings))
    assert "temperature=2.0, target_weight=0.5, other_weight=2.0" in repr(DKDLoss(**settings))
