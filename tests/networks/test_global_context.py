"""The global context block against a loop over positions, at birth, on tiny maps and under autocast."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.networks.global_context import GlobalContextBlock


def block(channels=6, awake=True):
    torch.manual_seed(0)
    made = GlobalContextBlock(channels).double()
    if awake:
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter)
    return made


def test_equals_the_loop_over_positions():
    made, feature = block(), torch.randn(2, 6, 3, 4, dtype=torch.float64)
    first, norm, _, last = made.transform
    for image, found in zip(feature, made(feature), strict=True):
        positions = [image[:, row, column] for row in range(3) for column in range(4)]
        shares = torch.stack([made.attention.weight.flatten() @ each for each in positions]).exp()
        context = sum(share * each for share, each in zip(shares / shares.sum(), positions, strict=True))
        inner = first.weight @ context + first.bias
        inner = (inner - inner.mean()) / (inner.var(unbiased=False) + norm.eps).sqrt() * norm.weight + norm.bias
        added = last.weight @ inner.clamp(min=0) + last.bias
        torch.testing.assert_close(found, image + added[:, None, None])


def test_is_born_as_the_identity_and_wakes_up():
    made, feature = block(awake=False), torch.randn(2, 6, 4, 4, dtype=torch.float64)
    out = made(feature)
    assert torch.equal(out, feature)
    out.square().sum().backward()
    assert made.transform[-1].weight.grad.any()
    assert not made.attention.weight.grad.any()


@pytest.mark.parametrize(("channels", "size"), [(6, (1, 1)), (1, (2, 3)), (2, (1, 2))])
def test_tiny_maps(channels, size):
    made, feature = block(channels), torch.randn(2, channels, *size, dtype=torch.float64)
    assert made(feature).shape == feature.shape
    assert made(feature).isfinite().all()


def test_stays_in_float32_under_autocast():
    made, feature = block().float(), 1e4 * torch.randn(2, 6, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = made(feature)
    assert under.dtype == torch.float32
    torch.testing.assert_close(under, made(feature))
    with torch.autocast("cpu", dtype=torch.float16):
        assert made(feature.half()).isfinite().all()


def test_refuses_a_size_below_one():
    with pytest.raises(UsageError, match="of at least 1, got 4 and 0"):
        GlobalContextBlock(4, 0)
