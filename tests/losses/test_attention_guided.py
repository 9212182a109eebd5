from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair, softmax
from pupil.errors import UsageError
from pupil.losses import AttentionGuidedLoss, attention_guided_loss


def together(ours, theirs, temperature, variant):
    """The mask of student and teacher, from two lists of attention."""
    if variant == "paper":
        mask = softmax([a + b for a, b in zip(ours, theirs, strict=True)], temperature)
    else:
        both = zip(softmax(ours, temperature), softmax(theirs, temperature), strict=True)
        mask = [(a + b) / 2 for a, b in both]
    return [len(mask) * value for value in mask]


def naive(student, teacher, temperature, variant, channel_mask):
    """A loop over images, channels and positions: the norm of each image."""
    norms = []
    for ours, theirs in zip(student.flatten(2).tolist(), teacher.flatten(2).tolist(), strict=True):
        channels, positions = range(len(ours)), range(len(ours[0]))
        by_position = [[sum(abs(f[c][x]) for c in channels) / len(channels) for x in positions] for f in (ours, theirs)]
        by_channel = [[sum(abs(f[c][x]) for x in positions) / len(positions) for c in channels] for f in (ours, theirs)]
        spatial = together(*by_position, temperature, variant)
        channel = together(*by_channel, temperature, variant) if channel_mask else [1.0 for _ in channels]
        squares = ((theirs[c][x] - ours[c][x]) ** 2 * spatial[x] * channel[c] for c in channels for x in positions)
        norms.append(math.sqrt(sum(squares)))
    return norms


@pytest.mark.parametrize("channel_mask", [True, False])
@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_equals_the_loop(temperature, variant, channel_mask):
    student, teacher = pair(3, 4, 2, 5)
    settings = {"temperature": temperature, "variant": variant, "channel_mask": channel_mask}
    norms = naive(student, teacher, **settings)
    importance = torch.tensor([0.5, 0.0, 1.0], dtype=torch.float64)
    assert attention_guided_loss(student, teacher, **settings).item() == pytest.approx(sum(norms) / 3)
    weighted = attention_guided_loss(student, teacher, importance, **settings).item()
    assert weighted == pytest.approx((0.5 * norms[0] + norms[2]) / 3)
    whole = attention_guided_loss(student, teacher, importance[:1], reduction="batch_norm", **settings).item()
    assert whole == pytest.approx(0.5 * math.sqrt(sum(norm**2 for norm in norms)))


def test_masks_are_constants():
    student, teacher = pair(2, 3, 2, 3)
    seen = student.detach().clone()
    assert gradcheck(lambda maps: attention_guided_loss(maps, teacher, before_adapter=seen), student)
    own = torch.autograd.grad(attention_guided_loss(student, teacher), student)
    held = torch.autograd.grad(attention_guided_loss(student, teacher, before_adapter=seen), student)
    torch.testing.assert_close(own, held)


def test_equal_features_have_the_gradient_zero():
    student = torch.randn(2, 4, 3, 3, requires_grad=True)
    for reduction in ("image_mean", "batch_norm"):
        loss = attention_guided_loss(student, student.detach(), reduction=reduction)
        (gradient,) = torch.autograd.grad(loss, student)
        assert loss == 0
        assert not gradient.any()


def test_attention_is_that_of_the_network_where_channels_allow_it():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, 5, 5), torch.randn(2, 6, 5, 5)
    wide, same = AttentionGuidedLoss(4, 6), AttentionGuidedLoss(6, 6)
    adapted = wide.adapter(student)
    ours = wide(student, teacher)
    spatial_alone = AttentionGuidedLoss(4, 6, channel_mask=False)
    spatial_alone.load_state_dict(wide.state_dict())
    assert ours != attention_guided_loss(adapted, teacher)
    torch.testing.assert_close(ours, attention_guided_loss(adapted, teacher, before_adapter=student))
    assert ours != spatial_alone(student, teacher)
    narrow = torch.randn(2, 6, 5, 5)
    expected = attention_guided_loss(same.adapter(narrow), teacher, before_adapter=narrow)
    torch.testing.assert_close(same(narrow, teacher), expected)
    assert expected != attention_guided_loss(same.adapter(narrow), teacher)


def test_a_level_of_one_position():
    student, teacher = pair(2, 4, 1, 1)
    loss = attention_guided_loss(student, teacher)
    assert loss.item() == pytest.approx(sum(naive(student, teacher, 0.1, "code", True)) / 2)


def test_refuses():
    small, large = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8)
    with pytest.raises(UsageError, match="resample"):
        attention_guided_loss(small, large)
    with pytest.raises(UsageError, match="use AttentionGuidedLoss, which owns an adapter"):
        attention_guided_loss(small, torch.zeros(2, 5, 4, 4))
    with pytest.raises(UsageError, match="expected one grid"):
        attention_guided_loss(small, small, before_adapter=large)
    with pytest.raises(UsageError, match="temperature above zero"):
        AttentionGuidedLoss(3, 3, temperature=0.0)
    with pytest.raises(UsageError, match="unknown variant 'codes': did you mean code"):
        AttentionGuidedLoss(3, 3, variant="codes")
    with pytest.raises(UsageError, match="unknown reduction 'mean'"):
        AttentionGuidedLoss(3, 3, reduction="mean")
    assert "temperature=0.1, channel_mask=True, variant='code'" in repr(AttentionGuidedLoss(3, 3))
