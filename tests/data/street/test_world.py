"""The geometry of a road, and how things stand beside it."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.street.shapes import FACADE, TREES
from pupil.data.street.world import CAR, SIGN, TREE, Road, World

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


def test_things_are_numbered_where_they_count_and_ordered_by_their_key() -> None:
    world = World(ROAD)
    world.stand(FACADE, 10.0, -8.0, (1.0, 2.0, 3.0), (), CAR, instance=True)
    world.stand(TREES[0], 12.0, 8.0, (1.0, 2.0, 1.0), (), TREE, facing=True, key=30.0)
    world.stand(TREES[0], 14.0, 8.0, (1.0, 2.0, 1.0), (), SIGN, instance=True)
    assert [thing.instance for thing in world.things] == [1, 0, 2]
    assert world.kinds == [CAR, SIGN]
    assert [thing.along for thing in world.things] == [10.0, 30.0, 14.0]
    assert world.things[1].place == pytest.approx((*ROAD.at(12.0, 8.0)[:2], 0.0))


def test_the_visible_side_of_a_thing_is_turned_towards_the_camera() -> None:
    world = World(ROAD)
    for across in (-8.0, 8.0):
        world.stand(FACADE, 10.0, across, (1.0, 2.0, 3.0), (), CAR)
    assert [thing.size[0] for thing in world.things] == [1.0, -1.0]


def test_a_strip_gets_corners_where_the_road_bends() -> None:
    world = World(ROAD)
    world.lay(0.0, 3.0, -1.0, 1.0, (0.5, 0.5, 0.5), 3)
    world.lay(0.0, 60.0, -1.0, 1.0, (0.5, 0.5, 0.5), 3)
    points, counts = world.corners()
    assert counts == [4, 24]
    assert points[:4] == pytest.approx(ROAD.curve(np.array([0.0, 3.0, 3.0, 0.0]), np.array([-1.0, -1.0, 1.0, 1.0])))
