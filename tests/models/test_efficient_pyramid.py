"""The segmentation student of FRSKD: its sizes, its levels, and where it keeps to its encoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.models.efficient_pyramid import NAMES, EfficientPyramid, efficient_pyramid
from pupil.networks.feature_pyramid import ConvNormReLU
from pupil.taps import Tapped, dry_run

SMALLEST = "efficient-pyramid-b0"


@pytest.fixture(scope="module")
def network() -> EfficientPyramid:
    torch.manual_seed(0)
    return efficient_pyramid(SMALLEST, classes=5)


@pytest.mark.parametrize(("size", "logits"), [((64, 96), (16, 24)), ((65, 97), (17, 25)), ((32, 32), (8, 8))])
def test_logits_come_at_a_quarter_of_any_size(network, size, logits):
    assert network.eval()(torch.zeros(2, 3, *size)).shape == (2, 5, *logits)


def test_its_levels_are_the_pyramid_that_the_head_reads(network):
    image = torch.rand(1, 3, 128, 256)
    found = dry_run(network, image)
    assert [found.shape(level) for level in network.levels] == [
        (1, 64, 128 // stride, 256 // stride) for stride in (4, 8, 16, 32, 64, 128)
    ]
    with torch.no_grad():
        tapped = Tapped(network.eval(), [*network.levels, "head:in"])
        shown = tapped(image).features
        tapped.release()
    assert torch.equal(shown["head:in"], shown[network.levels[0]])
    assert all((feature >= 0).all() for feature in shown.values())


@pytest.mark.parametrize(("name", "width"), list(zip(NAMES, (64, 88, 112), strict=True)))
def test_sizes(name, width):
    with torch.device("meta"):
        network = efficient_pyramid(name, classes=21)
    assert network.head[0][0].in_channels == width
    layers = sum(each.numel() for each in network.pyramid.parameters())
    assert layers == 3 * 44 * width


def test_levels_start_after_the_first_block_of_each_stride_and_the_encoder_is_whole(network):
    from torchvision.models import efficientnet_b0

    assert [len(part) for part in network.encoder] == [3, 2, 2, 10]
    assert [each[0].in_channels for each in network.lateral] == [24, 40, 80, 320]
    features = efficientnet_b0().features[:-1]
    own = sum(each.numel() for each in network.encoder.parameters())
    assert own == sum(each.numel() for each in features.parameters())


def test_the_encoder_computes_what_torchvision_computes(network):
    from torchvision.models import efficientnet_b0

    theirs = efficientnet_b0().features[:-1].eval()
    weights = network.encoder.state_dict()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights.values(), strict=True)))
    image = torch.rand(1, 3, 64, 64)
    ours = image
    with torch.no_grad():
        for part in network.eval().encoder:
            ours = part(ours)
        torch.testing.assert_close(ours, theirs(image))


def test_the_stem_is_activated_blocks_are_dropped_and_statistics_are_slow(network):
    from torchvision.ops import StochasticDepth

    assert isinstance(network.encoder[0][0][-1], nn.SiLU)
    assert any(isinstance(each, StochasticDepth) and each.p > 0 for each in network.modules())
    own = [each[1] for each in network.modules() if isinstance(each, ConvNormReLU)]
    assert {(each.eps, each.momentum) for each in own} == {(1e-4, 0.01)}


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = efficient_pyramid(SMALLEST, classes=5)
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    reached = {name for name, each in network.named_parameters() if each.grad is not None}
    # The last layer's way back is read by nobody but a self-teacher.
    idle = {name for name, _ in network.named_parameters()} - reached
    assert idle == {name for name in idle if name.startswith("pyramid.2.up.")} != set()


def test_random_weights_unless_asked_and_refusals(monkeypatch):
    import torchvision.models

    asked = []

    def offline(name, weights):
        asked.append(weights)
        raise OSError("no network")

    monkeypatch.setattr(torchvision.models, "get_model", offline)
    for pretrained in (False, True):
        with pytest.raises(UsageError, match="cannot get the weights of efficientnet_b0: no network"):
            efficient_pyramid(SMALLEST, classes=5, pretrained=pretrained)
    assert asked == [None, "DEFAULT"]
    with pytest.raises(UsageError, match=r"unknown model of the family 'pupil' 'efficient-pyramid-b9': did you mean"):
        efficient_pyramid("efficient-pyramid-b9", classes=5)
    with pytest.raises(UsageError, match="expected at least one class, got 0"):
        efficient_pyramid(SMALLEST, classes=0)
