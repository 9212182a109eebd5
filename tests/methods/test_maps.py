"""How the layers of a network are found as maps, and which of them stand for its resolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.methods.maps import LayerMaps
from pupil.models import load_model
from pupil.taps import plain_call


class Network(nn.Module):
    """Down to a quarter and up again, with a pooled vector, windows and maps whose channels come last beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU())
        self.second = nn.Conv2d(4, 5, 3, 2, 1)
        self.windows, self.turned, self.pooled = nn.Identity(), nn.Identity(), nn.Identity()
        self.up = nn.Upsample(scale_factor=4)
        self.classifier = nn.Conv2d(5, 7, 1)

    def forward(self, image: Tensor) -> Tensor:
        deep = self.second(self.first(image))
        self.windows(deep.reshape(-1, 5, 4, 6))
        self.turned(deep.movedim(1, -1))
        self.pooled(deep.mean((2, 3)))
        answer: Tensor = self.classifier(self.up(deep))
        return answer


@pytest.fixture
def shown() -> LayerMaps:
    return LayerMaps(Network(), torch.zeros(2, 3, 32, 48), plain_call)


def test_every_layer_that_shows_a_map_of_the_batch(shown: LayerMaps) -> None:
    assert shown.shapes(before="classifier:in") == {
        "first.0": (2, 4, 16, 24),
        "first.1": (2, 4, 16, 24),
        "first": (2, 4, 16, 24),
        "second": (2, 5, 8, 12),
        "turned": (2, 5, 8, 12),
        "up": (2, 5, 32, 48),
    }
    assert list(shown.shapes())[-1] == "classifier"


def test_stages_go_down_alone_and_are_whole_blocks(shown: LayerMaps) -> None:
    assert shown.stages() == shown.stages(before="classifier:in") == ["first", "turned"]
    tiny = load_model("pupil:tiny", 5, seed=0)
    assert LayerMaps(tiny, torch.zeros(1, 3, 32, 48), plain_call).stages() == ["stem", "stage1", "stage2", "context"]


def test_one_layer_with_what_lays_it_out(shown: LayerMaps) -> None:
    to_map, shape = shown.at("turned")
    assert tuple(to_map(torch.zeros(2, 8, 12, 5)).shape) == shape == (2, 5, 8, 12)
    with pytest.raises(UsageError, match=r"a map \(N, C, H, W\) at layer 'pooled', got \(2, 5\): choose layers before"):
        shown.at("pooled")
    with pytest.raises(UsageError, match="at layer 'second'"):
        shown.at("second", positions=97)
