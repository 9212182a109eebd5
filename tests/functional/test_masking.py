from __future__ import annotations

import pytest
import torch

from pupil.functional.masking import count_images, hide, image_mean, masked_mean, masked_sum

VALID = torch.tensor([[True, False, True], [False, False, False]])


def test_sum_and_mean_see_only_valid_entries():
    values = torch.tensor([[1.0, 50.0, 3.0], [70.0, 80.0, 90.0]])
    assert masked_sum(values, VALID) == 4
    assert masked_mean(values, VALID) == 2
    assert masked_mean(values, None) == values.mean()


def test_nothing_valid_is_zero_without_a_gradient():
    values = torch.ones(2, 3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(2, 3, dtype=torch.bool))
    mean.backward()
    assert mean == 0
    assert not values.grad.any()


def test_images_without_a_valid_position_do_not_count():
    values = torch.tensor([[1.0, 2.0], [30.0, 40.0]])
    assert count_images(values, VALID) == 1
    assert count_images(values, None) == 2
    torch.testing.assert_close(image_mean(values, VALID), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(image_mean(values, None), torch.tensor([15.5, 21.0]))
    assert not image_mean(values, torch.zeros_like(VALID)).any()


@pytest.mark.parametrize("largest", [1.0, 1e4])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
def test_hidden_positions_get_no_probability(largest, temperature):
    logits = -largest * torch.rand(2, 4, 3)
    probability = (hide(logits, VALID) / temperature).softmax(dim=2)
    assert not probability[0, :, 1].any()
    torch.testing.assert_close(probability[0][:, [0, 2]], (logits[0][:, [0, 2]] / temperature).softmax(dim=1))
    assert probability.isfinite().all()
