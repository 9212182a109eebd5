"""The self-teacher for classification: its form, what trains it, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pupil.errors import UsageError
from pupil.networks import SelfTeacher
from pupil.networks.self_teacher import _halved

CHANNELS = (4, 6, 8)


def features(finest: tuple[int, int] = (8, 12), channels: tuple[int, ...] = CHANNELS) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [
        torch.rand(2, each, finest[0] >> level, finest[1] >> level, generator=random)
        for level, each in enumerate(channels)
    ]


def teacher(**options) -> SelfTeacher:
    torch.manual_seed(0)
    return SelfTeacher(CHANNELS, classes=5, **options)


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({}, (8, 12, 16)),
        ({"width": 1}, CHANNELS),
        ({"variant": "bifpn"}, (256,) * 3),
        ({"variant": "bifpn", "width": 7}, (7,) * 3),
    ],
)
def test_it_keeps_resolutions_and_widens_channels(options, channels):
    logits, refined = teacher(**options)(features())
    assert logits.shape == (2, 5)
    assert [tuple(each.shape) for each in refined] == [
        (2, wide, *each.shape[2:]) for wide, each in zip(channels, features(), strict=True)
    ]
    assert all(each.min() >= 0 and each.max() > 0 for each in refined)


def formula(channels: tuple[int, ...], classes: int, width: int, depth: int) -> int:
    """The count of parameters as published, level by level."""
    wide = [width * each for each in channels]
    deepest = len(channels) - 1
    node = [depth * (9 * d + d * d + 2 * d) for d in wide]
    count = sum(c * d + 2 * d for c, d in zip(channels, wide, strict=True)) + wide[-1] * classes + classes
    for level, (c, d) in enumerate(zip(channels, wide, strict=True)):
        if level:
            count += c * d + 2 * d + node[level] + (2 if level == deepest else 3) + wide[level - 1] * d + 2 * d
        if level < deepest:
            count += wide[level + 1] * d + 2 * d + node[level] + 2
    return count


@pytest.mark.parametrize(
    ("channels", "classes", "width", "depth", "published"),
    [
        ((64, 128, 256, 512), 100, 2, 2, 6_375_794),
        ((64, 128, 256, 512), 200, 2, 2, 6_478_294),
        ((64, 128, 256, 512), 100, 1, 2, 1_983_730),
        ((64, 128, 256, 512), 100, 2, 1, 4_625_906),
        ((64, 128, 256, 512), 100, 2, 3, 8_125_682),
        ((64, 128, 256, 512), 1000, 2, 2, 7_298_294),
        ((32, 64, 128), 100, 2, 2, 411_885),
    ],
)
def test_parameters_are_as_many_as_published(channels, classes, width, depth, published):
    with torch.device("meta"):
        network = SelfTeacher(channels, classes, width=width, depth=depth)
    assert sum(each.numel() for each in network.parameters()) == formula(channels, classes, width, depth) == published


def test_every_parameter_and_every_feature_learns_from_the_logits():
    network, maps = teacher(), [each.requires_grad_() for each in features()]
    logits, _ = network(maps)
    logits[:, 0].sum().backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in network.parameters())
    assert all(
        each.grad.abs().sum() > 0 for each in [*network.parameters(), *maps] if each is not network.classifier.bias
    )


def test_shares_start_even_and_a_negative_one_counts_for_nothing():
    node = teacher().up[0]
    assert node.shares.tolist() == [1.0, 1.0, 1.0]
    maps = [each[:, :1].expand(-1, 12, -1, -1) for each in (torch.rand(2, 1, 4, 6), torch.rand(2, 1, 4, 6))]
    node.shares.data = torch.tensor([2.0, 2.0, -1.0])
    anything = torch.rand(2, 12, 4, 6)
    torch.testing.assert_close(node(*maps, anything), node(*maps, 7 * anything))


def test_halving_takes_the_largest_of_three_by_three_that_starts_at_even_places():
    feature = torch.arange(16.0).view(1, 1, 4, 4)
    assert _halved(feature).flatten().tolist() == [10.0, 11.0, 14.0, 15.0]
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 1, 1] = 1.0
    assert _halved(corner).flatten().tolist() == [1.0, 0.0, 0.0, 0.0]


def test_the_coarsest_level_may_be_odd():
    logits, _ = teacher()(features(finest=(12, 20)))
    assert logits.isfinite().all()


@pytest.mark.parametrize("shapes", [[(8, 8), (4, 4), (3, 3)], [(8, 8), (5, 4), (2, 2)], [(2, 2), (4, 4), (8, 8)]])
def test_maps_that_do_not_halve_are_refused_with_their_shapes(shapes):
    maps = [torch.zeros(2, c, *size) for c, size in zip(CHANNELS, shapes, strict=True)]
    with pytest.raises(UsageError) as error:
        teacher()(maps)
    assert str(error.value).startswith("expected maps that halve from level to level, got (2, 4, ")
    assert all(str(tuple(each.shape)) in str(error.value) for each in maps)
    assert "\n" not in str(error.value)


def test_vectors_and_another_number_of_levels_are_refused():
    with pytest.raises(UsageError, match=r"maps that halve.*\(2, 8\)"):
        teacher()([*features()[:2], torch.zeros(2, 8)])
    with pytest.raises(UsageError, match="expected 3 features, got 2"):
        teacher()(features()[:2])


@pytest.mark.parametrize("options", [{"width": 0}, {"depth": 0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="a width and depth of at least 1"):
        teacher(**options)


def test_one_level_and_an_unknown_variant_are_refused():
    with pytest.raises(UsageError, match="expected two levels or more"):
        SelfTeacher([8], classes=3)
    with pytest.raises(UsageError, match="unknown variant 'bifpnd': did you mean bifpn"):
        teacher(variant="bifpnd")
