"""Modules that are watched for the length of one call."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.tasks.detection.family import named_levels, twin, watching


def test_what_a_module_received_and_returned():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with watching({"end": model[1]}) as seen:
        shown = model(torch.ones(1, 2))
    assert seen["end"].output is shown
    assert torch.equal(seen["end"].received[0].clamp(min=0), shown)


def test_nothing_stays_on_the_model():
    model = nn.Linear(2, 3)
    with pytest.raises(RuntimeError), watching({"one": model}):
        model(torch.ones(1, 5))
    assert not model._forward_hooks
    with watching({"one": model}) as seen:
        pass
    model(torch.ones(1, 2))
    assert seen == {}


def test_a_twin_has_attributes_of_its_own_in_place_of_layers_too():
    model = nn.ModuleDict({"body": nn.Linear(2, 3), "head": nn.Linear(3, 1)})
    before = dict(vars(model)), dict(model._modules)
    other = twin(model, training=False, head="another")
    assert (other.body, other.head, other.training) == (model.body, "another", False)
    assert (dict(vars(model)), dict(model._modules)) == before


def test_levels_of_a_backbone():
    one = torch.zeros(1)
    assert named_levels(one) == {"0": one}
    assert list(named_levels({"p3": one, "p4": one})) == ["p3", "p4"]
