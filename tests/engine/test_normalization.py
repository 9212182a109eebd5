from __future__ import annotations

import copy

import torch
from torch import nn

from pupil.engine.normalization import freeze_batch_norm


def network() -> nn.Sequential:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(4, 4, 1), nn.SyncBatchNorm(4), nn.GroupNorm(2, 4))
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(), inner).train()


def test_every_batch_norm_and_nothing_else_is_frozen() -> None:
    model = network()
    freeze_batch_norm(model)
    assert [each.training for each in (model[0], model[1], model[2], model[3][1], model[3][2])] == [
        True,
        False,
        True,
        False,
        True,
    ]
    frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
    assert frozen == {"1.weight", "1.bias", "3.1.weight", "3.1.bias"}


def test_a_step_leaves_statistics_scale_and_shift_bit_identical() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    freeze_batch_norm(model)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1, weight_decay=0.1)
    model(torch.randn(2, 3, 4, 4) + 5.0).square().mean().backward()
    optimizer.step()
    assert not torch.equal(model[0].weight, before["0.weight"])
    after = model[1].state_dict()
    assert all(torch.equal(each, before[f"1.{name}"]) for name, each in after.items())


def test_a_layer_without_scale_and_shift_is_frozen_too() -> None:
    model = nn.BatchNorm1d(3, affine=False).train()
    freeze_batch_norm(model)
    model(torch.randn(4, 3))
    assert torch.equal(model.running_mean, torch.zeros(3))


def test_a_network_without_any_stays_as_it_is() -> None:
    model = nn.Linear(2, 2).train()
    freeze_batch_norm(model)
    assert model.training
    assert all(each.requires_grad for each in model.parameters())
