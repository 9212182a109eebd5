"""Attention and its masks against loops; the two ways to combine them; constants in any precision."""

from __future__ import annotations

import pytest
import torch

from losses.naive import pair, softmax
from pupil.functional.attention_masks import attention_mask, channel_attention, spatial_attention


def test_attention_is_a_mean_of_absolute_values():
    feature, _ = pair(2, 3, 4, 5)
    for image in range(2):
        for channel in range(3):
            values = feature[image, channel].flatten().tolist()
            assert channel_attention(feature)[image, channel].item() == pytest.approx(sum(map(abs, values)) / 20)
        values = feature[image, :, 1, 2].tolist()
        assert spatial_attention(feature)[image, 1, 2].item() == pytest.approx(sum(map(abs, values)) / 3)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("variant", ["code", "paper"])
def test_mask_equals_the_loop(variant, temperature):
    student, teacher = pair(2, 6)
    mask = attention_mask(student, teacher, temperature=temperature, variant=variant)
    for ours, theirs, found in zip(student.tolist(), teacher.tolist(), mask, strict=True):
        if variant == "paper":
            expected = softmax([a + b for a, b in zip(ours, theirs, strict=True)], temperature)
        else:
            both = zip(softmax(ours, temperature), softmax(theirs, temperature), strict=True)
            expected = [(a + b) / 2 for a, b in both]
        assert found.tolist() == pytest.approx([6 * value for value in expected])


def test_a_mask_is_a_constant_of_mean_one():
    student, teacher = pair(2, 4, 5)
    mask = attention_mask(student, teacher, temperature=0.1)
    assert not mask.requires_grad
    torch.testing.assert_close(mask.flatten(1).mean(1), torch.ones(2, dtype=torch.float64))


def test_large_features_in_half_precision():
    feature = torch.full((1, 2, 2, 2), 6e4, dtype=torch.float16)
    looks = spatial_attention(feature)
    assert looks.dtype == torch.float32
    torch.testing.assert_close(attention_mask(looks, looks, temperature=0.1), torch.ones(1, 2, 2))
