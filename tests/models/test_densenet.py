"""DenseNet: parameters as published, and torchvision's arithmetic behind another stem."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.models import count_parameters
from pupil.models.densenet import NAMES, DenseLayer, densenet


@pytest.mark.parametrize("growth", [4, 12, 32])
def test_parameters_by_formula(growth: int) -> None:
    channels = 2 * growth
    expected = 27 * channels
    for index, depth in enumerate(NAMES["densenet121"]):
        if index:
            expected += 2 * channels + channels * (channels // 2)
            channels //= 2
        for _ in range(depth):
            expected += 2 * channels + channels * 4 * growth + 2 * 4 * growth + 9 * 4 * growth * growth
            channels += growth
    expected += 2 * channels + 37 * channels + 37
    assert count_parameters(densenet("densenet121", 37, growth=growth)) == expected


def test_parameters_as_published() -> None:
    assert count_parameters(densenet("densenet121", 100)) == 7_048_548


def test_computes_what_torchvisions_network_computes() -> None:
    from torchvision.models import DenseNet

    torch.manual_seed(0)
    theirs = DenseNet(growth_rate=4, num_init_features=8, num_classes=10).eval()
    theirs.features.conv0 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        delattr(theirs.features, name)
    ours = densenet("densenet121", 10, growth=4).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    image = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(ours(image), theirs(image))


def test_a_layer_keeps_what_it_received() -> None:
    x = torch.randn(2, 5, 6, 6)
    shown = DenseLayer(5, growth=3)(x)
    assert shown.shape == (2, 8, 6, 6)
    assert torch.equal(shown[:, :5], x)


def test_mistakes_get_one_line() -> None:
    with pytest.raises(UsageError, match="unknown DenseNet 'densenet12': did you mean densenet121"):
        densenet("densenet12", 10)
    with pytest.raises(UsageError, match="expected a growth of at least one channel, got 0"):
        densenet("densenet121", 10, growth=0)
