from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair
from pupil.errors import UsageError
from pupil.losses import AIDLoss, PKDLoss, pkd_loss


def standardised(values):
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((each - mean) ** 2 for each in values) / (len(values) - 1))
    return [(each - mean) / (deviation + 1e-6) for each in values]


def naive(student, teacher):
    """A loop over channels, each a list over images and positions: the mean square of every image, halved."""
    images, sums = len(student), [0.0] * len(student)
    for channel in range(student.shape[1]):
        ours, theirs = (standardised(f[:, channel].flatten().tolist()) for f in (student, teacher))
        for place, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            sums[place * images // len(ours)] += (a - b) ** 2
    return [each / student[0].numel() / 2 for each in sums]


def test_equals_the_loop_over_channels():
    student, teacher = pair(3, 4, 2, 5)
    each = naive(student, teacher)
    assert pkd_loss(student, teacher).item() == pytest.approx(sum(each) / 3)
    importance = torch.tensor([0.5, 0.0, 1.0])
    assert pkd_loss(student, teacher, importance).item() == pytest.approx((0.5 * each[0] + each[2]) / 3)
    weighted = AIDLoss(PKDLoss(), alpha=1.0)(student, teacher, torch.tensor([0.0, math.inf, math.log(2)]).nan_to_num())
    assert weighted.item() == pytest.approx((each[0] + 0.5 * each[2]) / 3)


def test_is_one_minus_the_correlation():
    student, teacher = pair(3, 4, 2, 5)
    correlations = [
        torch.corrcoef(torch.stack([student[:, channel].flatten(), teacher[:, channel].flatten()]))[0, 1].item()
        for channel in range(4)
    ]
    expected = 29 / 30 * (1 - sum(correlations) / 4)
    assert pkd_loss(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_scale_and_offset_of_a_channel_do_not_count():
    student, teacher = pair(2, 3, 4, 4)
    scale, offset = torch.tensor([0.1, 1.0, 100.0]).view(3, 1, 1), torch.tensor([5.0, 0.0, -40.0]).view(3, 1, 1)
    torch.testing.assert_close(
        pkd_loss(student, scale * teacher + offset), pkd_loss(student, teacher), rtol=1e-4, atol=0
    )
    assert pkd_loss(-teacher, teacher).item() == pytest.approx(2 * 31 / 32, rel=1e-5)


def test_gradient():
    student, teacher = pair(2, 3, 2, 3)
    assert gradcheck(lambda maps: pkd_loss(maps, teacher), student)


@pytest.mark.parametrize("value", [0.0, 3.3, 1e4])
def test_a_constant_channel_is_zero(value):
    student = torch.full((2, 3, 7, 5), value, requires_grad=True)
    teacher = torch.randn(2, 3, 7, 5)
    loss = pkd_loss(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(69 / 140, rel=1e-4)
    assert student.grad.isfinite().all()
    assert pkd_loss(teacher, student).item() == pytest.approx(69 / 140, rel=1e-4)


def test_one_image_of_one_position_has_nothing_to_correlate():
    student = torch.randn(1, 4, 1, 1, requires_grad=True)
    loss = pkd_loss(student, torch.randn(1, 4, 1, 1))
    loss.backward()
    assert loss == 0
    assert student.grad.isfinite().all()


def test_an_adapter_brings_the_student_to_the_teachers_channels():
    torch.manual_seed(0)
    loss, student, teacher = PKDLoss(4, 6), torch.randn(2, 4, 5, 5), torch.randn(2, 6, 5, 5)
    torch.testing.assert_close(loss(student, teacher), pkd_loss(loss.adapter(student), teacher))
    assert list(PKDLoss().parameters()) == []


def test_refuses():
    small, large = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8)
    with pytest.raises(UsageError, match="resample"):
        pkd_loss(small, large)
    with pytest.raises(UsageError, match="give PKDLoss student_channels and teacher_channels"):
        pkd_loss(small, torch.zeros(2, 5, 4, 4))
    with pytest.raises(UsageError, match="take layers that show maps"):
        pkd_loss(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(UsageError, match="pass both for an adapter, or neither"):
        PKDLoss(4)
    with pytest.raises(UsageError, match="expected an importance of shape"):
        pkd_loss(small, small, torch.ones(3))
