"""The geometry of a road, and what a layout puts beside it."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.street.layout import build
from pupil.data.street.world import CAR, PERSON, SIGN, Road

ROAD = Road(0.04, 0.006, 1.7, (-3.4, 0.0, 3.4), -3.7, 3.7, (3.0, 3.0))


def test_the_camera_stands_at_the_origin() -> None:
    assert ROAD.at(0.0, ROAD.camera) == pytest.approx((0.0, 0.0, 0.04))


def test_a_curve_is_its_points() -> None:
    along = np.linspace(0, 90, 7)
    points = [(x, 0.0, z) for x, z, _ in (ROAD.at(step, 2.5) for step in along)]
    np.testing.assert_allclose(ROAD.curve(along, 2.5), points, atol=1e-12)


def test_curvature_is_the_turn_of_the_direction_per_metre() -> None:
    points = ROAD.curve(np.linspace(0, 50, 5001), 0.0)
    steps = np.diff(points, axis=0)
    assert np.linalg.norm(steps, axis=1) == pytest.approx(0.01, rel=1e-6)
    directions = np.arctan2(steps[:, 0], steps[:, 2])
    assert np.diff(directions) / 0.01 == pytest.approx(0.006, rel=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_a_layout_is_sound(seed: int) -> None:
    world = build(np.random.default_rng(seed))
    road = world.road
    numbers = [thing.instance for thing in world.things if thing.instance]
    assert sorted(numbers) == list(range(1, len(world.kinds) + 1))
    assert set(world.kinds) <= {CAR, PERSON, SIGN}
    assert list(road.lines) == sorted(road.lines)
    assert road.left < road.lines[0] < road.camera < road.lines[-1] < road.right
    painted = [line for line in world.lane_lines if line is not None]
    assert set(painted) <= set(road.lines)
    left, right = world.lane_lines[:2], world.lane_lines[2:]
    assert all(line < road.camera for line in left if line is not None)
    assert all(line > road.camera for line in right if line is not None)
