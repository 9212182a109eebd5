from __future__ import annotations

import pytest
import torch

from pupil.models.decoder import Decoder


@pytest.mark.parametrize("sizes", [[(8, 12), (4, 6), (2, 3)], [(9, 13), (5, 7), (3, 4)]])
def test_the_finest_map_sets_the_size(sizes: list[tuple[int, int]]) -> None:
    maps = [torch.rand(2, 4 * (index + 1), *size) for index, size in enumerate(sizes)]
    assert Decoder((4, 8, 12), 6)(maps).shape == (2, 6, *sizes[0])


def test_maps_of_one_size_are_enlarged_on_their_way_in() -> None:
    maps = [torch.rand(2, 8, 3, 5) for _ in range(4)]
    decoder = Decoder((8,) * 4, 6, enlarge=(4, 2, 1, 1))
    fused = decoder(maps)
    assert fused.shape == (2, 6, 12, 20)
    fused.square().sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_every_map_is_seen() -> None:
    torch.manual_seed(0)
    maps = [torch.rand(1, 3, 4, 4, requires_grad=True) for _ in range(3)]
    Decoder((3, 3, 3), 5, enlarge=(2, 1, 1)).eval()(maps).square().sum().backward()
    assert all(each.grad.abs().sum() > 0 for each in maps)
