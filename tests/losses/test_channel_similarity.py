from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair
from pupil.errors import UsageError
from pupil.losses import channel_similarity_loss


def naive_rows(image):
    """Products of each channel with every other, one channel at a time, as rows of unit length."""
    channels = [channel.flatten().tolist() for channel in image.detach()]
    for channel in channels:
        row = [sum(a * b for a, b in zip(channel, other, strict=True)) for other in channels]
        length = math.sqrt(sum(each**2 for each in row))
        yield [each / length for each in row]


def naive(student, teacher):
    total = 0.0
    for image, other in zip(student, teacher, strict=True):
        for row, theirs in zip(naive_rows(image), naive_rows(other), strict=True):
            total += sum((a - b) ** 2 for a, b in zip(row, theirs, strict=True))
    return total / student.shape[0] / student.shape[1]


@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (1, 3, 7), (3, 2, 2, 2, 2)])
def test_equals_the_loop_over_channels(shape):
    student, teacher = pair(*shape)
    assert channel_similarity_loss(student, teacher).item() == pytest.approx(naive(student, teacher), rel=1e-12)


def test_gradient():
    student, teacher = pair(2, 3, 2, 3)
    assert gradcheck(lambda maps: channel_similarity_loss(maps, teacher), student)


def test_the_scale_of_a_network_does_not_matter():
    student, teacher = pair(2, 3, 4, 4)
    scaled = channel_similarity_loss(1000 * student, teacher)
    torch.testing.assert_close(scaled, channel_similarity_loss(student, teacher))


def test_a_silent_network_costs_a_finite_amount():
    _, teacher = pair(2, 3, 4, 4)
    student = torch.zeros_like(teacher).requires_grad_()
    loss = channel_similarity_loss(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert not student.grad.any()


def test_refuses_what_it_cannot_compare():
    with pytest.raises(UsageError, match="by an adapter"):
        channel_similarity_loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 4, 4))
    with pytest.raises(UsageError, match="no other to resemble"):
        channel_similarity_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4))


def test_a_silent_channel_among_live_ones_gets_no_gradient() -> None:
    student = torch.rand(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    student[:, 1] = 0.0
    student.requires_grad_()
    channel_similarity_loss(student, torch.rand(2, 4, 3, 3, generator=torch.Generator().manual_seed(1))).backward()
    assert student.grad is not None
    assert student.grad.abs().max() < 10.0
    assert student.grad[:, 0].abs().max() > 0.0
