from __future__ import annotations

import math

import pytest
import torch

from losses.allocations import LargestAllocation
from pupil.functional.distances import distances


def rows(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)


def test_equals_the_norm_of_every_difference() -> None:
    given = rows(5, 3)
    found = distances(given)
    for i, one in enumerate(given.tolist()):
        for j, other in enumerate(given.tolist()):
            assert found[i, j].item() == pytest.approx(math.dist(one, other), rel=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_gradient(shape: tuple[int, ...]) -> None:
    # Off the diagonal, where the norm has a gradient.
    apart = 1 - torch.eye(shape[-2], dtype=torch.float64)
    weights = apart * torch.rand(*shape[:-1], shape[-2], generator=torch.Generator().manual_seed(1)).double()
    assert torch.autograd.gradcheck(lambda given: (weights * distances(given)).sum(), rows(*shape))


def test_rows_that_coincide_give_each_other_no_gradient() -> None:
    given = rows(4, 3)
    with torch.no_grad():
        given[1] = given[0]
    distances(given).sum().backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    assert given.grad[0].equal(given.grad[1])


def test_near_rows_far_from_zero_keep_their_digits() -> None:
    given = (1000 + 1e-2 * rows(4, 3).detach()).float().requires_grad_()
    exact = given.detach().double().requires_grad_()
    found, expected = distances(given), distances(exact)
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(found.double(), expected)
    assert given.grad is not None
    assert exact.grad is not None
    torch.testing.assert_close(given.grad.double(), exact.grad, rtol=1e-4, atol=1e-4)


def test_no_tensor_holds_the_differences() -> None:
    given = rows(20, 50)
    with LargestAllocation() as largest:
        distances(given).sum().backward()
    assert largest.elements <= 20 * 50
