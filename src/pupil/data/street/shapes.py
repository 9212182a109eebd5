"""The things of a street as small stacks of polygons, each drawn inside its own box, farthest face first."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]


class Shape(NamedTuple):
    """Flat polygons in a box: x from -0.5 to 0.5 with the visible side at +0.5, y from 0 up to 1, z from 0, the
    visible end, to 1.

    Attributes:
        vertices: the corners of all polygons, one polygon after the other, (V, 3).
        lengths: how many corners each polygon has.
        roles: which colour of the palette each polygon takes.
    """

    vertices: NDArray[np.float64]
    lengths: tuple[int, ...]
    roles: tuple[int, ...]


def shape(*polygons: tuple[int, list[Point]]) -> Shape:
    """A shape from (role, corners) pairs in the order in which they are painted."""
    vertices = np.array([point for _, corners in polygons for point in corners])
    return Shape(vertices, tuple(len(corners) for _, corners in polygons), tuple(role for role, _ in polygons))


def end(left: float, right: float, low: float, high: float, z: float = 0.0) -> list[Point]:
    """An upright rectangle that faces the camera."""
    return [(left, low, z), (right, low, z), (right, high, z), (left, high, z)]


def side(near: float, far: float, low: float, high: float, x: float = 0.5) -> list[Point]:
    """An upright rectangle along the road."""
    return [(x, low, near), (x, low, far), (x, high, far), (x, high, near)]


def lid(near: float, far: float, y: float, half: float = 0.5) -> list[Point]:
    """A horizontal rectangle."""
    return [(-half, y, near), (half, y, near), (half, y, far), (-half, y, far)]


def disc(count: int, centre: tuple[float, float], radius: tuple[float, float], turn: float = 0.0) -> list[Point]:
    """A regular polygon that faces the camera."""
    angles = [turn + 2 * math.pi * index / count for index in range(count)]
    return [(centre[0] + radius[0] * math.cos(angle), centre[1] + radius[1] * math.sin(angle), 0.0) for angle in angles]


def wheel(z: float, radius: tuple[float, float]) -> list[Point]:
    """A disc on the side of a car, whose lowest point touches the ground."""
    return [(0.5, radius[1] + y, z + x) for x, y, _ in disc(8, (0.0, 0.0), radius)]


def sloped(low: tuple[float, float, float], high: tuple[float, float, float]) -> list[Point]:
    """A windscreen: (half width, y, z) of its lower and of its upper edge."""
    return [
        (-low[0], low[1], low[2]),
        (low[0], low[1], low[2]),
        (high[0], high[1], high[2]),
        (-high[0], high[1], high[2]),
    ]


def cabin_side(near: tuple[float, float], far: tuple[float, float], low: float, high: float) -> list[Point]:
    """The side of a cabin: z of its lower and upper corner at either end."""
    return [(0.5, low, near[0]), (0.5, low, far[0]), (0.43, high, far[1]), (0.43, high, near[1])]


BODY, GLASS, TYRE, LIGHT, PLATE = range(5)
CAR = shape(
    (TYRE, lid(0.02, 0.98, 0.12)),
    (BODY, lid(0.0, 1.0, 0.56)),
    (BODY, lid(0.26, 0.66, 1.0, 0.42)),
    (BODY, cabin_side((0.1, 0.25), (0.84, 0.66), 0.56, 1.0)),
    (GLASS, cabin_side((0.2, 0.3), (0.45, 0.45), 0.6, 0.94)),
    (GLASS, cabin_side((0.49, 0.49), (0.74, 0.62), 0.6, 0.94)),
    (BODY, sloped((0.5, 0.56, 0.1), (0.43, 1.0, 0.25))),
    (GLASS, sloped((0.43, 0.6, 0.11), (0.37, 0.94, 0.23))),
    (BODY, side(0.0, 1.0, 0.14, 0.57)),
    (TYRE, wheel(0.19, (0.078, 0.215))),
    (TYRE, wheel(0.8, (0.078, 0.215))),
    (TYRE, end(-0.47, -0.3, 0.0, 0.2)),
    (TYRE, end(0.3, 0.47, 0.0, 0.2)),
    (BODY, end(-0.5, 0.5, 0.14, 0.57)),
    (LIGHT, end(-0.48, -0.3, 0.38, 0.5)),
    (LIGHT, end(0.3, 0.48, 0.38, 0.5)),
    (PLATE, end(-0.16, 0.16, 0.26, 0.36)),
)
VAN = shape(
    (TYRE, lid(0.02, 0.98, 0.1)),
    (BODY, side(0.0, 1.0, 0.1, 1.0)),
    (GLASS, side(0.62, 0.94, 0.55, 0.86)),
    (TYRE, wheel(0.17, (0.066, 0.15))),
    (TYRE, wheel(0.82, (0.066, 0.15))),
    (TYRE, end(-0.47, -0.3, 0.0, 0.2)),
    (TYRE, end(0.3, 0.47, 0.0, 0.2)),
    (BODY, end(-0.5, 0.5, 0.1, 1.0)),
    (GLASS, end(-0.42, 0.42, 0.56, 0.88)),
    (LIGHT, end(-0.48, -0.36, 0.24, 0.4)),
    (LIGHT, end(0.36, 0.48, 0.24, 0.4)),
    (PLATE, end(-0.14, 0.14, 0.2, 0.27)),
)

TROUSERS, COAT, SKIN, HAIR = range(4)
STANDING = shape(
    (TROUSERS, end(-0.22, -0.02, 0.0, 0.5)),
    (TROUSERS, end(0.02, 0.22, 0.0, 0.5)),
    (COAT, [(-0.26, 0.44, 0), (0.26, 0.44, 0), (0.36, 0.8, 0), (0.2, 0.85, 0), (-0.2, 0.85, 0), (-0.36, 0.8, 0)]),
    (COAT, end(-0.44, -0.3, 0.46, 0.8)),
    (COAT, end(0.3, 0.44, 0.46, 0.8)),
    (HAIR, disc(8, (0.0, 0.935), (0.2, 0.066))),
    (SKIN, disc(8, (0.0, 0.91), (0.17, 0.055))),
)
WALKING = shape(
    (TROUSERS, [(-0.44, 0.0, 0), (-0.24, 0.0, 0), (0.08, 0.48, 0), (-0.16, 0.48, 0)]),
    (TROUSERS, [(0.24, 0.0, 0), (0.44, 0.0, 0), (0.2, 0.48, 0), (-0.08, 0.48, 0)]),
    (COAT, [(-0.22, 0.44, 0), (0.22, 0.44, 0), (0.28, 0.82, 0), (0.14, 0.86, 0), (-0.14, 0.86, 0), (-0.28, 0.82, 0)]),
    (COAT, [(0.16, 0.8, 0), (0.28, 0.78, 0), (0.48, 0.52, 0), (0.38, 0.48, 0)]),
    (HAIR, disc(8, (0.0, 0.935), (0.2, 0.066))),
    (SKIN, disc(8, (0.04, 0.91), (0.16, 0.055))),
)

POLE, BORDER, FACE = range(3)
_POLE = (POLE, end(-0.07, 0.07, 0.0, 0.8))
ROUND_SIGN = shape(_POLE, (BORDER, disc(10, (0, 0.87), (0.5, 0.13))), (FACE, disc(10, (0, 0.87), (0.34, 0.088))))
GIVE_WAY_SIGN = shape(
    _POLE,
    (BORDER, disc(3, (0, 0.86), (0.56, 0.15), math.pi / 2)),
    (FACE, disc(3, (0, 0.86), (0.3, 0.08), math.pi / 2)),
)
SQUARE_SIGN = shape(_POLE, (BORDER, end(-0.46, 0.46, 0.74, 1.0)), (FACE, end(-0.38, 0.38, 0.764, 0.976)))
STOP_SIGN = shape(
    _POLE,
    (BORDER, disc(8, (0, 0.87), (0.52, 0.135), math.pi / 8)),
    (FACE, disc(8, (0, 0.87), (0.45, 0.115), math.pi / 8)),
    (BORDER, end(-0.3, 0.3, 0.85, 0.89)),
)
SIGNS = (ROUND_SIGN, GIVE_WAY_SIGN, SQUARE_SIGN, STOP_SIGN)
RED, AMBER, GREEN = 3, 4, 5
TRAFFIC_LIGHT = shape(
    _POLE,
    (BORDER, end(-0.26, 0.26, 0.72, 1.0)),
    (RED, disc(6, (0, 0.95), (0.16, 0.035))),
    (AMBER, disc(6, (0, 0.86), (0.16, 0.035))),
    (GREEN, disc(6, (0, 0.77), (0.16, 0.035))),
)

TRUNK, DARK_LEAF, LEAF, LIGHT_LEAF = range(4)


def blob(centre: tuple[float, float], radius: tuple[float, float], wave: float) -> list[Point]:
    """A closed, uneven outline: a piece of a crown. The wave shifts its bumps."""
    outline = disc(18, (0.0, 0.0), radius)
    bumps = [1 + 0.06 * math.sin(0.9 * step + wave) + 0.07 * math.sin(2.4 * step + 2 * wave) for step in range(18)]
    return [(centre[0] + x * bump, centre[1] + y * bump, 0.0) for (x, y, _), bump in zip(outline, bumps, strict=True)]


TREES = (
    shape(
        (TRUNK, [(-0.07, 0, 0), (0.07, 0, 0), (0.04, 0.5, 0), (-0.04, 0.5, 0)]),
        (DARK_LEAF, blob((0.0, 0.66), (0.5, 0.34), 0.3)),
        (LEAF, blob((-0.06, 0.71), (0.38, 0.26), 1.7)),
        (LIGHT_LEAF, blob((-0.12, 0.78), (0.22, 0.15), 2.9)),
    ),
    shape(
        (TRUNK, [(-0.06, 0, 0), (0.06, 0, 0), (0.05, 0.4, 0), (-0.05, 0.4, 0)]),
        (DARK_LEAF, blob((0.2, 0.56), (0.3, 0.22), 4.1)),
        (DARK_LEAF, blob((-0.2, 0.6), (0.3, 0.24), 5.2)),
        (LEAF, blob((0.02, 0.74), (0.34, 0.25), 0.8)),
        (LIGHT_LEAF, blob((-0.1, 0.8), (0.18, 0.13), 3.6)),
    ),
    shape(
        (TRUNK, [(-0.05, 0, 0), (0.05, 0, 0), (0.05, 0.2, 0), (-0.05, 0.2, 0)]),
        (DARK_LEAF, [(-0.5, 0.14, 0), (0.5, 0.14, 0), (0.0, 0.6, 0)]),
        (LEAF, [(-0.4, 0.38, 0), (0.4, 0.38, 0), (0.0, 0.82, 0)]),
        (LIGHT_LEAF, [(-0.28, 0.6, 0), (0.28, 0.6, 0), (0.0, 1.0, 0)]),
    ),
    shape(
        (TRUNK, [(-0.08, 0, 0), (0.08, 0, 0), (0.08, 0.2, 0), (-0.08, 0.2, 0)]),
        (DARK_LEAF, blob((0.0, 0.56), (0.42, 0.45), 2.2)),
        (LEAF, blob((-0.06, 0.58), (0.26, 0.36), 4.7)),
    ),
)

WALL, ROOF = range(2)
FACADE = shape((WALL, side(0.0, 1.0, 0.0, 1.0)))
GABLED = shape((ROOF, [(0.5, 1.0, 0), (0.5, 1.0, 1), (0.0, 1.4, 1), (0.0, 1.4, 0)]), (WALL, side(0.0, 1.0, 0.0, 1.0)))
END_WALL = shape((WALL, end(-0.5, 0.5, 0.0, 1.0)))
GABLE_WALL = shape((WALL, [(-0.5, 0, 0), (0.5, 0, 0), (0.5, 1, 0), (0, 1.4, 0), (-0.5, 1, 0)]))
HEDGE = shape((DARK_LEAF, side(0.0, 1.0, 0.0, 1.0)), (DARK_LEAF, end(-0.5, 0.5, 0.0, 1.0)))
