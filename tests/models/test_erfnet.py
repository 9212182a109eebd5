from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from pupil.models.erfnet import Down, ERFNet, NonBottleneck1d

CLASSES = 5
# A 1x1 classifier on the encoder, which served its pretraining and never runs in the released network.
UNUSED = 128 * CLASSES + CLASSES


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def residual(channels: int) -> int:
    return 4 * (3 * channels * channels + channels) + 2 * (2 * channels)


def test_number_of_parameters() -> None:
    """2,609,183 by count of the released network."""
    model = ERFNet(CLASSES, (208, 976))
    downs = sum(
        9 * channels * (out - channels) + (out - channels) + 2 * out for channels, out in pairwise((3, 16, 64, 128))
    )
    ups = sum(9 * channels * out + out + 2 * out for channels, out in pairwise((128, 64, 16)))
    classifier = 4 * 16 * CLASSES + CLASSES
    assert count(model.encoder) == downs + 5 * residual(64) + 8 * residual(128)
    assert count(model.decoder) == ups + 2 * residual(64) + 2 * residual(16) + classifier
    assert count(model) + UNUSED == 2_609_183
    assert count(ERFNet(CLASSES, (208, 976), existence=False)) == 2_608_538 - 545_257


def test_settings_of_the_publication() -> None:
    model = ERFNet(CLASSES, (32, 32))
    dilations = [
        [each.body[-3].dilation for each in block if isinstance(each, NonBottleneck1d)]
        for block in (model.encoder.block2, model.encoder.block3, model.encoder.block4)
    ]
    assert dilations == [[(1, 1)] * 5, *[[(1, 2), (1, 4), (1, 8), (1, 16)]] * 2]
    for part, rate in ((model.encoder, 0.1), (model.decoder, 0.0)):
        assert {layer.p for layer in part.modules() if isinstance(layer, nn.Dropout2d)} == {rate}
    assert {layer.eps for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)} == {1e-3}


@pytest.mark.parametrize("dilation", [1, 4])
@torch.no_grad()
def test_a_residual_block_sees_as_far_as_its_dilation_says(dilation: int) -> None:
    torch.manual_seed(0)
    block = NonBottleneck1d(4, dilation).eval()
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            # No ReLU may hide a neighbour.
            layer.weight.abs_()
            layer.bias.fill_(0.1)
    image = torch.rand(1, 4, 21, 21)
    other = image.clone()
    other[..., 10, 10] += 1
    changed = (block(image) != block(other)).any(1)[0].nonzero()
    reach = 1 + dilation
    assert changed.amin(0).tolist() == [10 - reach] * 2
    assert changed.amax(0).tolist() == [10 + reach] * 2


@torch.no_grad()
def test_down_pools_what_it_does_not_convolve() -> None:
    down = Down(3, 8).eval()
    image = torch.rand(1, 3, 4, 6)
    pooled = image.unflatten(3, (3, 2)).unflatten(2, (2, 2)).amax((3, 5))
    torch.testing.assert_close(down(image)[:, 5:], pooled / (1 + 1e-3) ** 0.5)
