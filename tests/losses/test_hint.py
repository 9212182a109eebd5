"""Hints: the formula written out, the adapter that belongs to the loss, and edges."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.losses import HintLoss, hint_loss
from pupil.networks import ChannelAdapter, TokensToGrid


def features(student_shape=(2, 3, 4, 5), teacher_shape=(2, 6, 4, 5)):
    torch.manual_seed(0)
    return torch.randn(student_shape, requires_grad=True), torch.randn(teacher_shape)


def test_equals_the_definition():
    student, teacher = features((2, 3, 2, 2), (2, 3, 2, 2))
    squares = [(a - b) ** 2 for a, b in zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True)]
    assert hint_loss(student, teacher).item() == pytest.approx(sum(squares) / len(squares))
    assert hint_loss(student, teacher, reduction="batch").item() == pytest.approx(sum(squares) / 2)


def test_gradient():
    student, teacher = (each.detach().double() for each in features((2, 3, 2, 2), (2, 3, 2, 2)))
    assert torch.autograd.gradcheck(lambda x: hint_loss(x, teacher), student.requires_grad_())


@pytest.mark.parametrize(
    ("loss", "student_shape", "teacher_shape"),
    [
        pytest.param(HintLoss(3, 6), (2, 3, 4, 5), (2, 6, 4, 5), id="maps"),
        pytest.param(HintLoss(3, 6, dims=3), (2, 7, 3), (2, 7, 6), id="tokens"),
        pytest.param(HintLoss(3, 6, dims=2), (2, 3), (2, 6), id="vectors"),
        pytest.param(
            HintLoss(adapter=nn.Sequential(TokensToGrid(4, 5), ChannelAdapter(3, 6))),
            (2, 20, 3),
            (2, 6, 4, 5),
            id="an adapter of one's own",
        ),
    ],
)
def test_adapter_learns_with_the_student(loss, student_shape, teacher_shape):
    student, teacher = features(student_shape, teacher_shape)
    value = loss(student, teacher.requires_grad_())
    value.backward()
    assert torch.equal(value, hint_loss(loss.adapter(student), teacher))
    assert student.grad.any()
    assert all(parameter.grad.any() for parameter in loss.parameters())
    assert teacher.grad is None


def test_state_holds_the_adapter_and_nothing_else():
    loss, other = HintLoss(3, 6), HintLoss(3, 6)
    assert list(loss.state_dict()) == ["adapter.projection.weight"]
    other.load_state_dict(loss.state_dict())
    assert torch.equal(loss(*features()), other(*features()))
    assert "reduction='element'" in repr(loss)


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match=r"\(2, 6, 4, 5\) and \(2, 6, 8, 10\): resample"):
        HintLoss(3, 6)(*features(teacher_shape=(2, 6, 8, 10)))
    with pytest.raises(UsageError, match="use HintLoss"):
        hint_loss(*features())
    with pytest.raises(UsageError, match="expected the channels of both layers, got 3 and None"):
        HintLoss(3)
    with pytest.raises(UsageError, match="unknown reduction 'mean'"):
        HintLoss(3, 6, reduction="mean")
