"""The non-local block against a loop over pairs of positions, at birth, on tiny maps and under autocast."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pupil.errors import UsageError
from pupil.networks.non_local import NonLocalBlock


def block(channels=4, inner=3, pool=2, awake=True):
    torch.manual_seed(0)
    made = NonLocalBlock(channels, inner, pool=pool).double()
    if awake:
        torch.nn.init.normal_(made.norm.weight)
        torch.nn.init.normal_(made.norm.bias)
    return made


@pytest.mark.parametrize("pool", [1, 2])
def test_equals_the_loop_over_pairs_of_positions(pool):
    made = block(pool=pool)
    feature = torch.randn(2, 4, 5, 4, dtype=torch.float64)
    theta, phi, g = made.theta(feature), F.max_pool2d(made.phi(feature), pool), F.max_pool2d(made.g(feature), pool)
    gathered = torch.zeros_like(theta)
    others = [(row, column) for row in range(phi.shape[2]) for column in range(phi.shape[3])]
    for image in range(2):
        for row in range(5):
            for column in range(4):
                for other in others:
                    alike = theta[image, :, row, column] @ phi[image, :, *other]
                    gathered[image, :, row, column] += alike * g[image, :, *other] / len(others)
    expected = feature + made.norm(made.out(gathered))
    torch.testing.assert_close(made(feature), expected)


def test_is_born_as_the_identity_and_wakes_up():
    made = block(awake=False)
    feature = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    out = made(feature)
    assert torch.equal(out, feature)
    out.square().sum().backward()
    assert made.norm.weight.grad.any()
    assert not made.theta.weight.grad.any()


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2)])
def test_the_pool_shrinks_to_a_tiny_map(size):
    made = block(pool=8)
    feature = torch.randn(2, 4, *size, dtype=torch.float64)
    assert made(feature).shape == feature.shape
    pooled = block(pool=min(size))
    torch.testing.assert_close(made(feature), pooled(feature))


def test_one_image_of_one_position_takes_the_running_statistics():
    made = block()
    feature = torch.randn(1, 4, 1, 1, dtype=torch.float64)
    trained = made(feature)
    assert made.norm.num_batches_tracked == 0
    torch.testing.assert_close(trained, made.eval()(feature))


def test_stays_in_float32_under_autocast():
    made = block().float()
    feature = 1e4 * torch.randn(2, 4, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = made(feature)
    assert under.dtype == torch.float32
    torch.testing.assert_close(under, made(feature))
    with torch.autocast("cpu", dtype=torch.float16):
        assert made(feature.half()).isfinite().all()


def test_refuses_a_size_below_one():
    with pytest.raises(UsageError, match="pool of at least 1, got 4, 2 and 0"):
        NonLocalBlock(4, 2, pool=0)
