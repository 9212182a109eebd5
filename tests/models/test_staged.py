"""The parts of a classification network have one name each in all families, and weights of the field's variance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.models import load_model
from pupil.models.staged import StagedNet
from pupil.taps import dry_run

THREE, FOUR = ["stage1", "stage2", "stage3"], ["stage1", "stage2", "stage3", "stage4"]


@pytest.mark.parametrize(
    ("name", "parts", "channels"),
    [
        ("resnet8", THREE, (16, 32, 64)),
        ("resnet8x4", THREE, (64, 128, 256)),
        ("resnet18", FOUR, (64, 128, 256, 512)),
        ("resnet50", FOUR, (256, 512, 1024, 2048)),
        ("wrn_16_2", [*THREE, "norm"], (32, 64, 128)),
        ("preact_resnet18", FOUR, (64, 128, 256, 512)),
        ("densenet121?growth=8", [*FOUR, "norm"], (64, 128, 256, 256)),
    ],
)
def test_names_and_shapes_of_the_parts(name: str, parts: list[str], channels: tuple[int, ...]) -> None:
    model = load_model(f"pupil:{name}", 10, kind="whole", seed=0)
    assert [part for part, _ in model.named_children()] == ["stem", *parts, "pool", "classifier"]
    found = dry_run(model, torch.rand(2, 3, 32, 32))
    for index, each in enumerate(channels):
        assert found.shape(f"stage{index + 1}") == (2, each, 32 >> index, 32 >> index)
    assert found.shape("classifier:in") == (2, channels[-1])
    assert found.output == (2, 10)


@pytest.mark.parametrize("name", ["resnet8", "wrn_16_1", "preact_resnet18", "densenet121?growth=4"])
def test_gradient_reaches_every_parameter_at_any_size(name: str) -> None:
    model = load_model(f"pupil:{name}", 10, kind="whole", seed=0)
    model(torch.rand(2, 3, 19, 45)).square().sum().backward()
    assert [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()] == []


def test_weights_have_the_variance_of_fan_out() -> None:
    torch.manual_seed(0)
    wide = nn.Conv2d(64, 256, 3, groups=1)
    StagedNet(nn.Conv2d(3, 64, 3), [wide], 256, 10)
    assert wide.weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)
    assert abs(wide.weight.mean().item()) < 1e-3
