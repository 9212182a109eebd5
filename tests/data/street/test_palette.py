"""Colours of a street: never twice quite the same, and never outside of what paint can be."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.street import palette
from pupil.data.street.palette import pick, scaled

SETS = {name: getattr(palette, name) for name in ("CAR_PAINT", "WALL_PAINT", "COATS", "SKINS", "LEAVES")}


@pytest.mark.parametrize("name", SETS)
def test_every_colour_is_one_and_stands_once(name: str) -> None:
    colours = SETS[name]
    assert len(set(colours)) == len(colours) > 1
    assert all(len(colour) == 3 and 0 <= min(colour) <= max(colour) <= 1 for colour in colours)


def test_a_sign_can_be_told_from_its_border() -> None:
    for border, face in palette.SIGN_PAINT:
        assert np.abs(np.subtract(border, face)).max() > 0.4


def test_picking_reaches_every_colour_and_shades_it() -> None:
    random = np.random.default_rng(0)
    choices = ((0.5, 0.5, 0.5), (1.0, 0.5, 0.25))
    drawn = [pick(random, choices) for _ in range(200)]
    assert len(set(drawn)) == 200
    hues = [np.divide(colour, colour[1]) for colour in drawn]
    for choice in choices:
        alike = [colour for colour, hue in zip(drawn, hues, strict=True) if np.allclose(hue, np.divide(choice, 0.5))]
        shades = [colour[1] / 0.5 for colour in alike]
        assert 70 < len(alike) < 130
        assert 0.82 <= min(shades) < 0.9 < 1.05 < max(shades) <= 1.12


def test_equal_generators_pick_equally() -> None:
    one, other = (pick(np.random.default_rng(3), palette.COATS) for _ in range(2))
    assert one == other


def test_scaling_keeps_the_hue() -> None:
    assert scaled((0.2, 0.4, 0.6), 0.5) == pytest.approx((0.1, 0.2, 0.3))
