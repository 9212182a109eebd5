"""Attention transfer: the formula written out, both variants, and edges."""

from __future__ import annotations

import math

import pytest
import torch

from pupil.errors import UsageError
from pupil.losses import AttentionLoss, attention_loss


def features(shape=(2, 3, 4, 5), teacher_channels=6):
    torch.manual_seed(0)
    student = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    return student, torch.randn(shape[0], teacher_channels, *shape[2:], dtype=torch.float64)


def map_by_hand(feature, power):
    """One image's attention map, position by position."""
    channels, height, width = feature.shape
    energies = [
        sum(abs(feature[c, y, x].item()) ** power for c in range(channels)) for y in range(height) for x in range(width)
    ]
    return [energy / math.hypot(*energies) for energy in energies]


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("variant", ["paper", "code"])
def test_equals_the_definition(variant, power):
    student, teacher = features()
    distances = [
        math.dist(map_by_hand(ours, power), map_by_hand(theirs, power))
        for ours, theirs in zip(student, teacher, strict=True)
    ]
    expected = sum(distances) if variant == "paper" else sum(distance**2 for distance in distances) / (4 * 5)
    loss = attention_loss(student, teacher, power=power, variant=variant)
    assert loss.item() == pytest.approx(expected / len(student), rel=1e-12)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("variant", ["paper", "code"])
def test_gradient(variant, power):
    student, teacher = features(shape=(2, 2, 2, 3))
    assert torch.autograd.gradcheck(lambda x: attention_loss(x, teacher, power=power, variant=variant), student)


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_silent_images_and_agreement_have_finite_gradients(variant):
    student, teacher = features()
    with torch.no_grad():
        student[0] = 0
        teacher[1] = 2 * student[1].repeat(2, 1, 1)
    loss = attention_loss(student, teacher, variant=variant)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()
    assert not student.grad[0].any()


def test_one_position_has_nothing_to_compare():
    loss = attention_loss(*features(shape=(2, 3, 1, 1)))
    assert loss.item() == pytest.approx(0, abs=1e-12)


def test_module_delegates_with_its_settings():
    student, teacher = features()
    loss = AttentionLoss(power=3.0, variant="code")
    assert torch.equal(loss(student, teacher), attention_loss(student, teacher, power=3.0, variant="code"))
    assert repr(loss) == "AttentionLoss(power=3.0, variant='code')"


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="one grid"):
        attention_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8))
    with pytest.raises(UsageError, match="unknown variant 'papr': did you mean paper"):
        AttentionLoss(variant="papr")
    with pytest.raises(UsageError, match=r"power of at least 1, got 0\.5"):
        AttentionLoss(power=0.5)
