from __future__ import annotations

import torch
from torch import nn

from pupil.observations import Observations, observations_of


def test_nothing_is_kept_while_nobody_listens() -> None:
    seen = Observations()
    seen(torch.ones(3))
    assert seen.take() == []


def test_what_was_taken_is_gone() -> None:
    seen = Observations()
    seen.listening = True
    seen(torch.tensor(1.0))
    seen(torch.tensor([[2.0], [3.0]], dtype=torch.float16))
    assert seen.take() == [1.0, 2.0, 3.0]
    assert seen.take() == []


def test_what_is_no_number_is_not_counted() -> None:
    seen = Observations()
    seen.listening = True
    seen(torch.tensor([0.5, float("nan"), 1.0]))
    assert seen.take() == [0.5, 1.0]


def test_no_graph_is_held() -> None:
    seen = Observations()
    seen.listening = True
    weight = torch.ones(2, requires_grad=True)
    seen(2 * weight)
    assert not seen._seen[0].requires_grad


def test_they_are_no_state_and_are_found_by_term_and_name() -> None:
    loss = nn.Module()
    loss.trust, loss.doubt = Observations(), Observations()
    losses = nn.ModuleDict({"aid": nn.Sequential(loss), "task": nn.Linear(1, 1)})
    assert {name: len(each) for name, each in observations_of(losses).items()} == {"aid trust": 1, "aid doubt": 1}
    assert set(losses.state_dict()) == {"task.weight", "task.bias"}


def test_those_of_one_name_are_read_together() -> None:
    pair = nn.Sequential(nn.ModuleDict({"trust": Observations()}), nn.ModuleDict({"trust": Observations()}))
    assert [len(each) for each in observations_of(nn.ModuleDict({"aid": pair})).values()] == [2]
