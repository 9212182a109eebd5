from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.networks.bottleneck import Bottleneck


@pytest.mark.parametrize(("stride", "size"), [(1, (9, 8)), (2, (4, 4)), (4, (2, 2))])
def test_shrinks_and_widens(stride, size):
    torch.manual_seed(0)
    bottleneck, feature = Bottleneck(8, 96, stride=stride), torch.randn(2, 8, 9, 8, requires_grad=True)
    out = bottleneck(feature)
    assert out.shape == (2, 96, *size)
    assert (out >= 0).all()
    out.sum().backward()
    assert all(each.grad is not None for each in (feature, *bottleneck.parameters()))
    assert [each.out_channels for each in bottleneck if isinstance(each, nn.Conv2d)] == [24, 24, 96]


def test_refuses_settings_that_mean_nothing():
    with pytest.raises(UsageError, match="of at least 1, got 8, 16 and 0"):
        Bottleneck(8, 16, stride=0)
