from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.engine.untouched import untouched


class Counting(nn.Module):
    """A module that puts a new tensor in its buffer's place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, image: Tensor) -> Tensor:
        self.seen = self.seen + 1
        return image


def test_buffers_and_the_random_state_are_put_back() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(), Counting()).train()
    before, state = {name: each.clone() for name, each in model.named_buffers()}, torch.get_rng_state()
    with untouched(model):
        model(torch.randn(8, 3))
        assert not torch.equal(model[0].running_mean, before["0.running_mean"])
        assert not torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(each, before[name]) for name, each in model.named_buffers())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


def test_an_error_inside_leaves_no_trace_either() -> None:
    model = Counting()

    def fail() -> None:
        with untouched(model):
            model(torch.zeros(1))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert model.seen == 0


def test_a_learned_buffer_is_put_back_without_a_gradient() -> None:
    model = nn.Module()
    model.register_buffer("memory", torch.ones(2, requires_grad=True))
    with untouched(model), torch.no_grad():
        model.memory.add_(1)
    assert torch.equal(model.memory, torch.ones(2))
