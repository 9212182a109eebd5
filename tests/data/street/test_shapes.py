"""Shapes stay in their boxes, stand on the ground, and agree with the palettes that paint them."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.street import shapes
from pupil.data.street.shapes import Shape, shape

SHAPES = {name: value for name, value in vars(shapes).items() if isinstance(value, Shape)}
SHAPES |= {f"TREES[{index}]": tree for index, tree in enumerate(shapes.TREES)}
COLOURS = {"CAR": 5, "VAN": 5, "STANDING": 4, "WALKING": 4, "TRAFFIC_LIGHT": 6, "GABLED": 2, "FACADE": 2}


def test_the_shapes_were_visited() -> None:
    assert len(SHAPES) >= 18
    assert all(any(sign is each for each in SHAPES.values()) for sign in shapes.SIGNS)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_stands_on_the_ground_inside_its_box(name: str) -> None:
    x, y, z = SHAPES[name].vertices.T
    # A gabled roof rises over its walls, a sign and a crown may be a little wider than their box.
    assert np.abs(x).max() <= 0.58
    assert y.min() == pytest.approx(0, abs=0.15)
    assert 0.86 <= y.max() <= (1.4 if name.startswith("GABLE") else 1.06)
    assert 0 <= z.min() <= z.max() <= 1


@pytest.mark.parametrize("name", SHAPES)
def test_polygons_are_flat_and_have_an_area(name: str) -> None:
    each = SHAPES[name]
    assert sum(each.lengths) == len(each.vertices)
    assert len(each.roles) == len(each.lengths)
    for polygon in np.split(each.vertices, np.cumsum(each.lengths)[:-1]):
        assert len(polygon) >= 3
        extents = np.linalg.svd(polygon - polygon.mean(0), compute_uv=False)
        assert extents[1] > 1e-3
        assert extents[2] < 1e-9


@pytest.mark.parametrize("name", COLOURS)
def test_roles_are_places_in_the_palette(name: str) -> None:
    assert set(SHAPES[name].roles) <= set(range(COLOURS[name]))


def test_polygons_are_painted_in_the_order_in_which_they_are_given() -> None:
    low, high = shapes.end(-0.5, 0.5, 0.0, 0.5), shapes.disc(8, (0.0, 0.75), (0.2, 0.2))
    each = shape((2, low), (0, high))
    assert (each.roles, each.lengths) == ((2, 0), (4, 8))
    np.testing.assert_array_equal(each.vertices, [*low, *high])


def test_a_disc_is_round_and_a_wheel_touches_the_ground() -> None:
    points = np.array(shapes.disc(12, (0.1, 0.5), (0.2, 0.3)))
    np.testing.assert_allclose(((points[:, 0] - 0.1) / 0.2) ** 2 + ((points[:, 1] - 0.5) / 0.3) ** 2, 1)
    wheel = np.array(shapes.wheel(0.4, (0.1, 0.2)))
    assert wheel[:, 1].min() == pytest.approx(0)
    assert wheel.mean(0) == pytest.approx((0.5, 0.2, 0.4))
