"""What a street consists of, in metres: a road, strips of ground and things, before any camera looks at them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pupil.data.street.palette import Colour
from pupil.data.street.shapes import Shape

SKY, BUILDING, TREE, ROAD, PAVEMENT, LANE_MARK, CAR, PERSON, SIGN = range(9)
BOX_KINDS = (CAR, PERSON, SIGN)  # the things that get a box, in the order of its labels
SHOP = 8  # added to the number of window columns of a wall whose ground floor is a shop


@dataclass(frozen=True)
class Road:
    """A road of constant curvature, in coordinates along it and across it; the camera stands at its start.

    Args:
        heading: angle between the camera's axis and the road at its start, in radians.
        curvature: radians per metre, positive to the right, not zero.
        camera: how far right of the centre line the camera stands.
        lines: the distance of each lane line from the centre line, left to right.
        left, right: of the asphalt, measured from the centre line.
        pavements: the width of the left and of the right pavement.
    """

    heading: float
    curvature: float
    camera: float
    lines: tuple[float, ...]
    left: float
    right: float
    pavements: tuple[float, float]

    def at(self, along: float, across: float) -> tuple[float, float, float]:
        """World x, world z and heading of a point of the road."""
        heading = self.heading + self.curvature * along
        x = (math.cos(self.heading) - math.cos(heading)) / self.curvature - self.camera * math.cos(self.heading)
        z = (math.sin(heading) - math.sin(self.heading)) / self.curvature + self.camera * math.sin(self.heading)
        return x + across * math.cos(heading), z - across * math.sin(heading), heading

    def curve(self, along: NDArray[np.float64], across: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Points on the ground. Shape: (P,) to (P, 3)."""
        heading = self.heading + self.curvature * along
        sine, cosine = np.sin(heading), np.cos(heading)
        points = np.zeros((len(along), 3))
        points[:, 0] = (math.cos(self.heading) - cosine) / self.curvature + across * cosine
        points[:, 2] = (sine - math.sin(self.heading)) / self.curvature - across * sine
        points[:, 0] -= self.camera * math.cos(self.heading)
        points[:, 2] += self.camera * math.sin(self.heading)
        return points


@dataclass(frozen=True)
class Strip:
    """A piece of ground between two distances along the road and two across it."""

    near: float
    far: float
    left: float
    right: float
    colour: Colour
    class_id: int

    def outline(self) -> list[tuple[float, float]]:
        """Its corners as (along, across), with more of them where the road bends visibly."""
        count = 1 + int((self.far - self.near) / 6)
        steps = [self.near + (self.far - self.near) * (step / count) ** 1.5 for step in range(count + 1)]
        return [(step, self.left) for step in steps] + [(step, self.right) for step in reversed(steps)]


@dataclass(frozen=True)
class Thing:
    """One shape in its place; `along` orders the painting, farthest first."""

    along: float
    shape: Shape
    place: tuple[float, float, float]
    size: tuple[float, float, float]
    palette: Sequence[Colour]
    class_id: int
    instance: int = 0
    windows: int = 0
    glow: int = 0  # roles of the palette that shine by themselves, one bit each


@dataclass
class World:
    """A street in metres: strips of ground, later ones on top, and things.

    Attributes:
        road: where things stand is measured along it and across it.
        ground, things: what there is.
        kinds: the class of each instance; instance k is `kinds[k - 1]`, and 0 is no instance.
        lane_lines: second left, left, right, second right of the camera: metres across, None where none is painted.
    """

    road: Road
    ground: list[Strip] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    lane_lines: list[float | None] = field(default_factory=list)

    def lay(self, near: float, far: float, left: float, right: float, colour: Colour, class_id: int) -> None:
        """Put a strip on the ground, over those before it."""
        self.ground.append(Strip(near, far, left, right, colour, class_id))

    def corners(self) -> tuple[NDArray[np.float64], list[int]]:
        """World points of all strips, one after the other, and how many each has."""
        outlines = [strip.outline() for strip in self.ground]
        along, across = np.array([point for outline in outlines for point in outline]).T
        return self.road.curve(along, across), [len(outline) for outline in outlines]

    def stand(
        self,
        shape: Shape,
        along: float,
        across: float,
        size: tuple[float, float, float],
        palette: Sequence[Colour],
        class_id: int,
        *,
        facing: bool = False,
        instance: bool = False,
        key: float | None = None,
        windows: int = 0,
        glow: int = 0,
    ) -> None:
        """Put a shape on the street, its visible side towards the camera."""
        x, z, heading = self.road.at(along, across)
        if facing:
            heading = 0.0
        elif x * math.cos(heading) > z * math.sin(heading):
            size = (-size[0], size[1], size[2])
        if instance:
            self.kinds.append(class_id)
        number = len(self.kinds) if instance else 0
        key = along if key is None else key
        self.things.append(Thing(key, shape, (x, z, heading), size, palette, class_id, number, windows, glow))
