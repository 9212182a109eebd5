from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.engine.observer import Observer
from pupil.observations import Observations


@pytest.fixture
def loss() -> nn.Module:
    loss = nn.Module()
    loss.trust = Observations()
    return loss


def test_only_what_is_noticed_inside_a_step_is_read(loss: nn.Module) -> None:
    observer = Observer(nn.ModuleDict({"aid": loss}))
    loss.trust(torch.tensor(0.0))
    with observer:
        loss.trust(torch.tensor([0.5, 1.0]))
    loss.trust(torch.tensor(0.0))
    with observer:
        loss.trust(torch.tensor([0.6]))
    read = observer.read()
    assert list(read) == ["aid trust"]
    assert read["aid trust"] == pytest.approx({"min": 0.5, "median": 0.6, "mean": 0.7, "max": 1.0})
    assert observer.read() == {}


def test_a_step_that_fails_ends_the_listening(loss: nn.Module) -> None:
    with pytest.raises(ZeroDivisionError), Observer(nn.ModuleDict({"aid": loss})):
        raise ZeroDivisionError
    assert not loss.trust.listening


def test_a_checkpoint_neither_loses_nor_doubles(loss: nn.Module) -> None:
    observer = Observer(nn.ModuleDict({"aid": loss}))
    with observer:
        loss.trust(torch.tensor([0.25, 0.5]))
    state = observer.state_dict()
    with observer:
        loss.trust(torch.tensor([1.0]))
    unbroken = observer.read()
    resumed = Observer(nn.ModuleDict({"aid": loss}))
    resumed.load_state_dict(state)
    with resumed:
        loss.trust(torch.tensor([1.0]))
    assert resumed.read() == unbroken
    assert unbroken["aid trust"]["min"] == 0.25


def test_losses_that_notice_nothing_cost_nothing() -> None:
    observer = Observer(nn.ModuleDict({"kd": nn.Identity()}))
    with observer:
        pass
    assert observer.read() == {} == observer.state_dict()
