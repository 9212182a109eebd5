from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair
from pupil.errors import UsageError
from pupil.losses import AttentionTransferLoss, attention_transfer_loss


def naive(student, teacher, variant):
    """A loop over images: the norms over channels and over positions of each."""
    change = abs if variant == "paper" else float
    norms = []
    for ours, theirs in zip(student.flatten(2).tolist(), teacher.flatten(2).tolist(), strict=True):
        channels = [[sum(map(change, row)) / len(row) for row in feature] for feature in (ours, theirs)]
        columns = [list(zip(*feature, strict=True)) for feature in (ours, theirs)]
        positions = [[sum(map(change, column)) / len(column) for column in each] for each in columns]
        norms.append([math.dist(*channels), math.dist(*positions)])
    return norms


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_equals_the_loop(variant):
    student, teacher = pair(3, 4, 2, 5)
    norms = naive(student, teacher, variant)
    factors = {"channel_weight": 2.0, "spatial_weight": 0.5}
    each = [2.0 * channel + 0.5 * spatial for channel, spatial in norms]
    importance = torch.tensor([0.5, 0.0, 1.0], dtype=torch.float64)
    ours = attention_transfer_loss(student, teacher, variant=variant, **factors).item()
    assert ours == pytest.approx(sum(each) / 3)
    weighted = attention_transfer_loss(student, teacher, importance, variant=variant, **factors).item()
    assert weighted == pytest.approx((0.5 * each[0] + each[2]) / 3)
    whole = attention_transfer_loss(student, teacher, variant=variant, reduction="batch_norm").item()
    assert whole == pytest.approx(sum(math.hypot(*part) for part in zip(*norms, strict=True)))


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_gradient(variant):
    student, teacher = pair(2, 3, 2, 3)
    assert gradcheck(lambda maps: attention_transfer_loss(maps, teacher, variant=variant), student)
    (gradient,) = torch.autograd.grad(attention_transfer_loss(student, student.detach(), variant=variant), student)
    assert not gradient.any()


def test_adapters_bridge_the_channels():
    torch.manual_seed(0)
    loss = AttentionTransferLoss(4, 6, channel_weight=3.0, spatial_weight=0.0)
    student, teacher = torch.randn(2, 4, 5, 5), torch.randn(2, 6, 5, 5)
    channels = loss.channel_adapter(student.mean((2, 3))) - teacher.mean((2, 3))
    torch.testing.assert_close(loss(student, teacher), 3.0 * channels.norm(dim=1).mean())
    assert {tuple(each.shape) for each in loss.parameters()} == {(6, 4), (6,), (1, 1, 3, 3), (1,)}
    assert list(AttentionTransferLoss(4, 4, variant="paper").parameters()) == []


def test_a_level_of_one_position():
    student, teacher = pair(2, 4, 1, 1)
    norms = naive(student, teacher, "code")
    assert attention_transfer_loss(student, teacher).item() == pytest.approx(sum(map(sum, norms)) / 2)


def test_refuses():
    maps, wider = torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 4, 4)
    with pytest.raises(UsageError, match=r"expected one number of channels, got 3 and 5: use AttentionTransferLoss"):
        attention_transfer_loss(maps, wider)
    with pytest.raises(UsageError, match="expected one grid"):
        attention_transfer_loss(maps, torch.zeros(2, 3, 8, 8))
    with pytest.raises(UsageError, match='expected equal channels for variant="paper", got 3 and 5'):
        AttentionTransferLoss(3, 5, variant="paper")
    with pytest.raises(UsageError, match="unknown variant 'papers'"):
        AttentionTransferLoss(3, 3, variant="papers")
    assert "channel_weight=1.0, spatial_weight=1.0, variant='code'" in repr(AttentionTransferLoss(3, 3))
