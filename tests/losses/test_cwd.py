from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.losses import CWDLoss, cwd_loss, kd_loss
from pupil.losses.cwd import Variant

VARIANTS = get_args(Variant)


def naive_channel(ours, theirs, variant, temperature):
    """One channel of one image, as lists of its valid positions."""
    if variant == "channel_kl":
        return temperature**2 * kl(softmax(theirs, temperature), softmax(ours, temperature))
    if variant == "channel_mse":
        return sum((a - b) ** 2 for a, b in zip(softmax(ours), softmax(theirs), strict=True))
    return (sum(ours) / len(ours) - sum(theirs) / len(theirs)) ** 2


def naive(student, teacher, valid, variant, temperature):
    """A loop over images and channels; images without a valid position take no part."""
    values = [
        naive_channel(ours[counts].tolist(), theirs[counts].tolist(), variant, temperature)
        for image, other, counts in zip(student.detach(), teacher, valid, strict=True)
        for ours, theirs in zip(image, other, strict=True)
        if counts.any()
    ]
    return sum(values) / len(values)


@pytest.mark.parametrize("variant", ["channel_kl", "channel_mse", "channel_mean_mse"])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_equals_the_loop_over_channels(variant, temperature):
    student, teacher = pair(3, 4, 5, 3)
    valid = torch.rand(3, 5, 3, generator=torch.Generator().manual_seed(1)) < 0.7
    valid[1] = False
    settings = {"variant": variant, "temperature": temperature}
    everywhere = naive(student, teacher, torch.ones_like(valid), variant, temperature)
    masked = naive(student, teacher, valid, variant, temperature)
    assert cwd_loss(student, teacher, **settings).item() == pytest.approx(everywhere, rel=1e-12)
    loss = cwd_loss(student, teacher, valid, **settings)
    assert loss.item() == pytest.approx(masked, rel=1e-12)
    (gradient,) = torch.autograd.grad(loss, student)
    assert not gradient.movedim(1, -1)[~valid].any()


def test_the_spatial_variant_is_ordinary_distillation():
    student, teacher = pair(2, 4, 5, 3)
    valid = torch.arange(30).reshape(2, 5, 3) % 4 != 0
    ours = cwd_loss(student, teacher, valid, temperature=2.0, variant="spatial_kl")
    torch.testing.assert_close(ours, kd_loss(student, teacher, valid, temperature=2.0))


def test_squares_have_no_temperature():
    student, teacher = pair(2, 3, 4, 4)
    for variant in ("channel_mse", "channel_mean_mse"):
        cold, hot = (cwd_loss(student, teacher, variant=variant, temperature=each) for each in (1.0, 9.0))
        assert cold == hot


@pytest.mark.parametrize("temperature", [0.01, 4.0])
def test_a_mask_survives_any_temperature_in_float32(temperature):
    student, teacher = pair(2, 3, 4, 4, dtype=torch.float32)
    valid = torch.arange(32).reshape(2, 4, 4) % 3 != 0
    loss = cwd_loss(student, teacher, valid, temperature=temperature)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient(variant, masked):
    student, teacher = pair(2, 3, 2, 3)
    valid = (torch.arange(12).reshape(2, 2, 3) % 4 != 0) if masked else None
    assert gradcheck(lambda maps: cwd_loss(maps, teacher, valid, variant=variant, temperature=2.0), student)


def test_an_adapter_brings_the_student_to_the_teachers_channels():
    torch.manual_seed(0)
    loss = CWDLoss(4, 6)
    student, teacher = torch.randn(2, 4, 5, 5), torch.randn(2, 6, 5, 5)
    loss(student, teacher).backward()
    (weight,) = loss.parameters()
    assert weight.shape == (6, 4, 1, 1)
    assert weight.grad.any()
    torch.testing.assert_close(loss(student, teacher), cwd_loss(loss.adapter(student), teacher))
    assert list(CWDLoss().parameters()) == []


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        ((2, 3, 4, 4), (2, 3, 8, 8), "resample"),
        ((2, 3, 4, 4), (2, 5, 4, 4), "give CWDLoss student_channels and teacher_channels"),
        ((2, 3), (2, 3), "two positions or more"),
    ],
)
def test_refuses_maps_that_cannot_be_compared(student, teacher, message):
    with pytest.raises(UsageError, match=message):
        cwd_loss(torch.zeros(student), torch.zeros(teacher))


def test_refuses_settings_that_mean_nothing():
    with pytest.raises(UsageError, match="unknown variant 'channel': did you mean channel_kl"):
        CWDLoss(variant="channel")
    with pytest.raises(UsageError, match="pass both for an adapter, or neither"):
        CWDLoss(student_channels=4)
    with pytest.raises(UsageError, match="softmax over one channel"):
        cwd_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4), variant="spatial_kl")


def test_module_shows_its_settings():
    assert "temperature=4.0, variant='channel_kl'" in repr(CWDLoss())
