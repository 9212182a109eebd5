from __future__ import annotations

import pytest
import torch

from pupil.functional.precision import precise, without_autocast


@pytest.mark.parametrize(
    ("came", "computes"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_float32_or_better(came, computes):
    tensor = torch.ones(3, dtype=came, requires_grad=True)
    precise(tensor).sum().backward()
    assert precise(tensor).dtype == computes
    assert tensor.grad.dtype == came


def test_no_copy_where_nothing_changes():
    tensor = torch.ones(3)
    assert precise(tensor) is tensor


def test_a_product_inside_autocast_stays_float32():
    matrix = torch.randn(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (matrix @ matrix).dtype == torch.bfloat16
        with without_autocast(matrix):
            product = matrix @ matrix
    torch.testing.assert_close(product, matrix @ matrix, rtol=0, atol=0)
