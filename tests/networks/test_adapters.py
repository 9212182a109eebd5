"""Adapters: shapes out, what they keep, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.networks import ChannelAdapter, adapter

SHAPES = [
    pytest.param((2, 8, 5, 6), (2, 12, 5, 6), (2, 12, 5, 6), id="maps"),
    pytest.param((2, 8, 10, 12), (2, 12, 5, 6), (2, 12, 10, 12), id="maps keep their size"),
    pytest.param((2, 8), (2, 12), (2, 12), id="vectors"),
    pytest.param((2, 30, 8), (2, 30, 12), (2, 30, 12), id="tokens"),
]


@pytest.mark.parametrize(("student", "teacher", "out"), SHAPES)
def test_adapter_gives_the_teachers_channels(student, teacher, out):
    torch.manual_seed(0)
    module = adapter(student, teacher)
    feature = torch.randn(student, requires_grad=True)
    adapted = module(feature)
    assert adapted.shape == out
    adapted.square().sum().backward()
    assert feature.grad.abs().sum() > 0


def test_equal_shapes_need_no_adapter():
    assert isinstance(adapter((2, 8, 5, 6), (2, 8, 9, 9)), nn.Identity)


@pytest.mark.parametrize(
    ("student", "teacher", "fix"),
    [
        ((2, 8), (2, 12, 5, 6), "before their pooling"),
        ((2, 8, 5, 6), (2, 12), "before their pooling"),
        ((2, 20, 8), (2, 21, 8), "equally many tokens"),
        ((2, 30, 8), (2, 12, 5, 6), "lay the tokens out as a map with TokensToGrid"),
        ((2, 8, 5, 6), (2, 30, 12), "lay the tokens out as a map with TokensToGrid"),
        ((2, 8, 3, 5, 6), (2, 8, 5, 6), "layers that show"),
    ],
)
def test_refusal_names_both_layers_both_shapes_and_the_fix(student, teacher, fix):
    with pytest.raises(UsageError) as error:
        adapter(student, teacher, student_layer="stem.3", teacher_layer="blocks.7")
    for part in ("'stem.3'", "'blocks.7'", str(student), str(teacher), fix):
        assert part in str(error.value)


@pytest.mark.parametrize(("dims", "shape"), [(2, (12, 8)), (3, (12, 8)), (4, (12, 8, 1, 1))])
def test_channel_adapter_owns_one_weight_and_no_bias(dims, shape):
    state = ChannelAdapter(8, 12, dims=dims).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {"projection.weight": shape}


def test_wrong_features_are_refused():
    with pytest.raises(UsageError, match=r"8 channels, got \(2, 9, 4, 4\)"):
        ChannelAdapter(8, 12)(torch.zeros(2, 9, 4, 4))
    with pytest.raises(UsageError, match="dims 2"):
        ChannelAdapter(8, 12, dims=5)
