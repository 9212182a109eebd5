"""Pyramids for dense prediction: the formula of a layer, the self-teacher of them, and what it refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.networks import PyramidSelfTeacher
from pupil.networks.feature_pyramid import ConvNormReLU, PyramidLayer

SIZES = ((9, 13), (5, 7), (3, 4))


def maps(channels: tuple[int, ...] = (4, 4, 4)) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.rand(2, each, *size, generator=random) for each, size in zip(channels, SIZES, strict=True)]


def test_a_layer_level_by_level_on_sizes_that_do_not_halve():
    torch.manual_seed(0)
    layer, (fine, middle, coarse) = PyramidLayer(4, levels=3).eval(), maps()

    def larger(each: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(each, like.shape[2:], mode="bilinear", align_corners=False)

    down_coarse = layer.down[2](coarse)
    down_middle = layer.down[1](middle + larger(down_coarse, middle))
    up_fine = layer.down[0](fine + larger(down_middle, fine))
    up_middle = layer.up[0](middle + down_middle + F.interpolate(up_fine, middle.shape[2:]))
    up_coarse = layer.up[1](coarse + down_coarse + F.interpolate(up_middle, coarse.shape[2:]))
    for ours, theirs in zip(layer([fine, middle, coarse]), [up_fine, up_middle, up_coarse], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_last_layer_has_no_way_back():
    layer = PyramidLayer(4, levels=3, bottom_up=False)
    assert len(layer.up) == 0
    assert [each.shape for each in layer(maps())] == [each.shape for each in maps()]


def test_levels_of_one_width_need_no_lateral_and_others_get_one():
    assert all(isinstance(each, nn.Identity) for each in PyramidSelfTeacher([16] * 3, classes=5).lateral)
    mixed = PyramidSelfTeacher([4, 64, 8], classes=5)
    assert [type(each) for each in mixed.lateral] == [ConvNormReLU, nn.Identity, ConvNormReLU]
    assert [each[0].out_channels for each in PyramidSelfTeacher([4, 4], classes=5, width=6).lateral] == [6, 6]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_logits_at_the_finest_level_and_refined_features_at_all(depth):
    torch.manual_seed(0)
    teacher = PyramidSelfTeacher([4, 6, 8], classes=5, width=7, depth=depth)
    features = [each.requires_grad_() for each in maps((4, 6, 8))]
    logits, refined = teacher(features)
    assert logits.shape == (2, 5, *SIZES[0])
    assert [tuple(each.shape) for each in refined] == [(2, 7, *size) for size in SIZES]
    assert all(each.min() >= 0 for each in refined)
    logits.square().sum().backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in teacher.parameters())
    assert all(each.grad.abs().sum() > 0 for each in features)


def test_running_statistics_remember_more_than_the_last_batch():
    norm = ConvNormReLU(4, 4)[1]
    assert norm.momentum == 0.01
    for _ in range(3):
        norm(10 + torch.randn(8, 4, 4, 4))
    assert 0.2 < float(norm.running_mean.mean()) < 0.4


def test_maps_in_another_order_or_number_are_refused():
    teacher = PyramidSelfTeacher([4, 4, 4], classes=5)
    with pytest.raises(
        UsageError, match=r"expected 3 maps, the finest first, got the sizes \[\(3, 4\), \(5, 7\), \(9, 13\)\]"
    ):
        teacher(maps()[::-1])
    with pytest.raises(UsageError, match="expected 3 maps"):
        teacher(maps()[:2])


@pytest.mark.parametrize(("channels", "options"), [([4, 4], {"width": 0}), ([4, 4], {"depth": 0}), ([], {"width": 8})])
def test_settings_out_of_range_are_refused(channels, options):
    with pytest.raises(UsageError, match="expected a level and a width and depth of at least 1"):
        PyramidSelfTeacher(channels, classes=5, **options)
