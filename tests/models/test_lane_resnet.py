from __future__ import annotations

from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import nn

from pupil.errors import UsageError
from pupil.models.lane_resnet import LaneResNet


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("depth", "total"), [(18, 12_312_494), (34, 22_420_654)])
def test_number_of_parameters(depth: int, total: int) -> None:
    model = LaneResNet(5, (208, 976), depth=depth)
    whole = torchvision.models.get_model(f"resnet{depth}", weights=None)
    assert count(model.encoder) == count(whole) - count(whole.fc)
    reduce = 9 * 512 * 128 + 2 * 128
    assert count(model) == count(model.encoder) + reduce + (128 * 5 + 5) + 545_257 == total


def test_dilation_shows_between_the_positions_of_the_strided_network() -> None:
    """At every fourth position of stride 8 stands what torchvision's own network shows at stride 32."""
    torch.manual_seed(0)
    whole = torchvision.models.resnet18(weights=None).double().eval()
    model = LaneResNet(5, (64, 64)).double().eval()
    names = {"stem.0": "conv1", "stem.1": "bn1", **{f"block{index}": f"layer{index}" for index in range(1, 5)}}
    theirs = whole.state_dict()
    model.encoder.load_state_dict(
        {
            key: theirs[key.replace(ours, name, 1)]
            for key in model.encoder.state_dict()
            for ours, name in names.items()
            if key.startswith(f"{ours}.")
        }
    )
    image = torch.rand(2, 3, 128, 192, dtype=torch.float64)
    with torch.no_grad():
        x = whole.maxpool(whole.relu(whole.bn1(whole.conv1(image))))
        ours = model.encoder.stem(image)
        for index, apart in ((1, 1), (2, 1), (3, 2), (4, 4)):
            x = getattr(whole, f"layer{index}")(x)
            ours = getattr(model.encoder, f"block{index}")(ours)
            torch.testing.assert_close(ours[..., ::apart, ::apart], x, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_any_size_and_a_resize_in_between() -> None:
    torch.manual_seed(0)
    model = LaneResNet(3, (64, 64)).eval()
    answer = model(torch.rand(1, 3, 61, 75))
    assert answer["out"].shape == (1, 3, 61, 75)
    assert answer["existence"].shape == (1, 2)


def test_pretrained_weights_are_torchvisions_and_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    build = torchvision.models.get_model
    asked = []

    def recorded(name: str, weights: Any) -> nn.Module:
        asked.append((name, weights))
        return build(name, weights=None)

    monkeypatch.setattr(torchvision.models, "get_model", recorded)
    LaneResNet(3, (32, 32))
    LaneResNet(3, (32, 32), depth=34, pretrained=True)
    assert asked == [("resnet18", None), ("resnet34", "DEFAULT")]


def test_mistakes_get_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown depth of a lane ResNet '50': expected one of 18, 34"):
        LaneResNet(3, (32, 32), depth=50)

    def offline(*args: Any, **options: Any) -> nn.Module:
        raise URLError("no network")

    monkeypatch.setattr(torchvision.models, "get_model", offline)
    with pytest.raises(UsageError, match=r"cannot get the weights of resnet18: .*no network"):
        LaneResNet(3, (32, 32), pretrained=True)
