from __future__ import annotations

import pytest

from pupil.models.lane_tiny import LaneTiny


@pytest.mark.parametrize("size", [(64, 96), (96, 144), (128, 192)])
def test_about_fifty_thousand_parameters(size: tuple[int, int]) -> None:
    assert 45e3 < sum(parameter.numel() for parameter in LaneTiny(5, size).parameters()) < 60e3


def test_names_of_the_parts() -> None:
    parts = [name for name, _ in LaneTiny(5, (64, 96)).named_children()]
    assert parts == ["stem", "block1", "block2", "block3", "block4", "decoder", "classifier", "existence"]
