"""Which things stand where: a street as polygons in metres, drawn from one seed, before any camera looks at it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pupil.data.street import shapes
from pupil.data.street.shapes import Shape

SKY, BUILDING, TREE, ROAD, PAVEMENT, LANE_MARK, CAR, PERSON, SIGN = range(9)
SHOP = 8  # added to the number of window columns: the ground floor is a shop
LENGTH = 115.0  # metres of road; a row of houses and trees closes its far end
Colour = tuple[float, float, float]

CAR_PAINT: tuple[Colour, ...] = (
    (0.72, 0.10, 0.10),
    (0.12, 0.22, 0.46),
    (0.86, 0.86, 0.84),
    (0.10, 0.10, 0.11),
    (0.52, 0.53, 0.55),
    (0.66, 0.60, 0.50),
    (0.15, 0.34, 0.26),
    (0.78, 0.58, 0.16),
    (0.40, 0.20, 0.16),
    (0.34, 0.40, 0.46),
)
WALL_PAINT: tuple[Colour, ...] = (
    (0.62, 0.36, 0.28),
    (0.80, 0.72, 0.56),
    (0.58, 0.58, 0.58),
    (0.74, 0.52, 0.36),
    (0.86, 0.84, 0.78),
    (0.46, 0.34, 0.28),
    (0.54, 0.60, 0.62),
    (0.80, 0.62, 0.58),
    (0.60, 0.64, 0.50),
    (0.40, 0.42, 0.46),
)
COATS: tuple[Colour, ...] = (
    (0.80, 0.16, 0.14),
    (0.14, 0.20, 0.42),
    (0.16, 0.16, 0.17),
    (0.82, 0.74, 0.28),
    (0.30, 0.40, 0.28),
    (0.72, 0.72, 0.72),
    (0.46, 0.32, 0.24),
    (0.62, 0.34, 0.52),
    (0.40, 0.42, 0.46),
)
SKINS: tuple[Colour, ...] = ((0.90, 0.72, 0.60), (0.76, 0.56, 0.42), (0.50, 0.34, 0.24), (0.34, 0.22, 0.16))
LEAVES: tuple[Colour, ...] = (
    (0.24, 0.40, 0.16),
    (0.34, 0.46, 0.18),
    (0.18, 0.32, 0.18),
    (0.60, 0.46, 0.16),
    (0.58, 0.30, 0.14),
)
SIGN_PAINT: tuple[tuple[Colour, Colour], ...] = (
    ((0.78, 0.10, 0.10), (0.92, 0.92, 0.90)),
    ((0.92, 0.92, 0.92), (0.12, 0.30, 0.66)),
    ((0.92, 0.92, 0.92), (0.78, 0.10, 0.10)),
    ((0.20, 0.20, 0.20), (0.90, 0.72, 0.12)),
    ((0.92, 0.92, 0.92), (0.14, 0.46, 0.30)),
)


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


def pick(random: Generator, choices: Sequence[Colour]) -> Colour:
    """One of the colours, never twice quite the same."""
    red, green, blue = choices[int(len(choices) * random.random())]
    shade = random.uniform(0.82, 1.12)
    return (red * shade, green * shade, blue * shade)


def scaled(colour: Colour, factor: float) -> Colour:
    """A lighter or darker colour."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def build(random: Generator) -> World:
    """Draw a street: the road first, then what stands beside it, then what moves on it."""
    world = World(_road(random))
    crossing = random.uniform(18, 50) if random.random() < 0.35 else None
    _surfaces(world, random, crossing)
    for sign in (-1, 1):
        _row(world, random, sign, crossing)
        _pavement(world, random, sign, crossing)
    _far_end(world, random)
    _traffic(world, random)
    return world


def _road(random: Generator) -> Road:
    width = random.uniform(2.9, 3.6)
    lanes, ego = ((1, 0), (2, 1), (2, 1), (2, 0), (3, 1))[int(5 * random.random())]
    lines = tuple((index - lanes / 2) * width for index in range(lanes + 1))
    margins = [2.2 if random.random() < 0.5 else random.uniform(0.2, 0.5) for _ in range(2)]
    curvature = float(np.clip(random.normal(0, 0.0035), -0.008, 0.008))
    return Road(
        heading=float(np.clip(random.normal(0, 0.03), -0.07, 0.07)) - curvature * 12,
        curvature=curvature if abs(curvature) > 1e-4 else 1e-4,
        camera=lines[ego] + width * random.uniform(0.42, 0.58),
        lines=lines,
        left=lines[0] - margins[0],
        right=lines[-1] + margins[1],
        pavements=(random.uniform(2.4, 4.6), random.uniform(2.4, 4.6)),
    )


def _surfaces(world: World, random: Generator, crossing: float | None) -> None:
    road = world.road
    grey = random.uniform(0.26, 0.42)
    asphalt = (grey, grey * 1.01, grey * 1.04)
    tone = grey * random.uniform(1.08, 1.5)
    paving = (tone * 1.05, tone, tone * random.uniform(0.86, 1.0))
    kerb = scaled(paving, 1.2)
    world.lay(0, LENGTH + 60, -60, 60, paving, PAVEMENT)
    world.lay(1, LENGTH, road.left - 0.3, road.right + 0.3, kerb, PAVEMENT)
    if crossing is not None:
        world.lay(crossing - 0.3, crossing + 8.3, -60, 60, kerb, PAVEMENT)
        world.lay(crossing, crossing + 8, -60, 60, asphalt, ROAD)
    world.lay(1, LENGTH, road.left, road.right, asphalt, ROAD)
    for _ in range(int(random.uniform(0, 4))):
        along, across = random.uniform(4, 40), random.uniform(road.left + 0.5, road.right - 1.5)
        far, right = along + random.uniform(1, 8), across + random.uniform(0.5, 1.4)
        world.lay(along, far, across, right, scaled(asphalt, random.uniform(0.8, 1.15)), ROAD)
    _marks(world, random, crossing)


def _marks(world: World, random: Generator, crossing: float | None) -> None:
    road = world.road
    white = random.uniform(0.62, 0.95)
    paint = (white, white, white * random.uniform(0.75, 1.0))
    period = random.uniform(6, 10)
    # Four slots around the camera's lane: second left, left, right, second right.
    first = sum(line < road.camera for line in road.lines) - 2
    world.lane_lines = [None] * 4
    pieces = [(1.0, LENGTH)] if crossing is None else [(1.0, crossing - 1), (crossing + 9, LENGTH)]
    for index, line in enumerate(road.lines):
        edge = index in (0, len(road.lines) - 1)
        if edge and random.random() < 0.25:
            continue
        world.lane_lines[index - first] = line
        half = random.uniform(0.07, 0.11)
        for near, far in pieces:
            if edge or random.random() < 0.25:
                world.lay(near, far, line - half, line + half, paint, LANE_MARK)
                continue
            along = near + random.uniform(0, period)
            while along < min(far, 80) - 2:
                world.lay(along, along + 0.4 * period, line - half, line + half, paint, LANE_MARK)
                along += period
    if crossing is not None or random.random() < 0.25:
        along = crossing - 4.5 if crossing is not None else random.uniform(9, 30)
        for across in np.arange(road.left + 0.4, road.right - 0.6, 1.0).tolist():
            world.lay(along, along + 3, across, across + 0.5, paint, LANE_MARK)


def _row(world: World, random: Generator, sign: int, crossing: float | None) -> None:
    """Houses and hedges along one side, without a gap except at the crossing."""
    road = world.road
    border = road.right + road.pavements[1] if sign > 0 else road.left - road.pavements[0]
    built = (0.25, 0.6, 0.9)[int(3 * random.random())]
    green = pick(random, LEAVES)
    along = -2.0
    while along < LENGTH:
        length = random.uniform(7, 20)
        far = along + length
        if crossing is not None and along < crossing + 10 and far > crossing - 2:
            if along < crossing - 5:
                far = crossing - 2
            else:
                _side_street(world, random, sign, crossing)
                along = crossing + 10
                continue
        if random.random() < built:
            _house(world, random, sign, along, far, border)
        else:
            _garden(world, random, sign, along, far, border, green)
        along = far


def _house(world: World, random: Generator, sign: int, near: float, far: float, border: float) -> None:
    wall = pick(random, WALL_PAINT)
    palette = (wall, scaled(pick(random, WALL_PAINT[:1] + WALL_PAINT[2:3] + WALL_PAINT[9:]), 0.7))
    gabled = random.random() < 0.45
    height = random.uniform(4, 8) if gabled else random.uniform(5, 19)
    deep, pieces = random.uniform(7, 11), max(1, round((far - near) / 5))
    step = (far - near) / pieces
    columns = int(random.uniform(1, 4)) + (SHOP if random.random() < 0.3 else 0)
    across = border + sign * deep / 2
    shape, gable = (shapes.GABLED, shapes.GABLE_WALL) if gabled else (shapes.FACADE, shapes.END_WALL)
    for index in range(pieces):
        start = near + index * step
        size = (deep, height, step * 1.02)
        if index == 0:
            world.stand(gable, near, across, size, palette, BUILDING, key=near + step + 0.01, windows=3)
        world.stand(shape, start, across, size, palette, BUILDING, key=start + step, windows=columns)


def _garden(world: World, random: Generator, sign: int, near: float, far: float, border: float, green: Colour) -> None:
    """A hedge higher than the camera with trees behind it."""
    palette = (green, scaled(green, 0.75), green, scaled(green, 1.2))
    size = (1.0, random.uniform(2.1, 3.2), far - near)
    world.stand(shapes.HEDGE, near, border + sign * 0.5, size, palette, TREE, key=far)
    for _ in range(int(random.uniform(1, 4))):
        along, height = random.uniform(near, far), random.uniform(4, 11)
        _tree(world, random, along, border + sign * random.uniform(2.5, 5.0), height, key=far + 0.1)


def _tree(
    world: World, random: Generator, along: float, across: float, height: float, *, key: float | None = None
) -> None:
    leaf = pick(random, LEAVES)
    bark = scaled((0.34, 0.26, 0.20), random.uniform(0.7, 1.3))
    palette = (bark, scaled(leaf, 0.7), scaled(leaf, 0.9), scaled(leaf, 1.15))
    kind = shapes.TREES[int(len(shapes.TREES) * random.random())]
    width = height * random.uniform(0.5, 0.85) * (1 if random.random() < 0.5 else -1)
    if key is None:
        width = float(np.clip(width, -3.6, 3.6))
    world.stand(kind, along, across, (width, height, 1.0), palette, TREE, facing=True, key=key)


def _side_street(world: World, random: Generator, sign: int, crossing: float) -> None:
    palette = (pick(random, WALL_PAINT), (0.3, 0.25, 0.22))
    size = (8.0, random.uniform(5, 14), 16.0)
    world.stand(shapes.FACADE, crossing - 4, sign * 42.0, size, palette, BUILDING, key=crossing + 10, windows=5)


def _pavement(world: World, random: Generator, sign: int, crossing: float | None) -> None:
    """Street trees, signs, people and parked cars of one side."""
    road = world.road
    kerb, width = (road.right, road.pavements[1]) if sign > 0 else (road.left, road.pavements[0])

    def free(along: float) -> bool:
        return crossing is None or not crossing - 5 < along < crossing + 9

    if random.random() < 0.5:
        gap = random.uniform(7, 14)
        for along in np.arange(random.uniform(8, 8 + gap), 80, gap).tolist():
            if free(along):
                _tree(world, random, along, kerb + sign * 0.8, random.uniform(3.5, 7))
    for _ in range(int(random.uniform(1, 4))):
        along = random.uniform(6, 22) if random.random() < 0.7 else random.uniform(22, 55)
        _sign(world, random, along, kerb + sign * random.uniform(0.4, 0.7))
    for _ in range((0, 1, 2, 3, 4, 6)[int(6 * random.random())]):
        along = random.uniform(5, 18) if random.random() < 0.6 else random.uniform(18, 50)
        _person(world, random, along, kerb + sign * random.uniform(0.6, width - 0.4))
    parking = road.lines[-1] + 1.2 if sign > 0 else road.lines[0] - 1.2
    if abs(kerb - parking) > 0.8 and random.random() < 0.85:
        along = random.uniform(4.5, 14)
        while along < 75:
            if random.random() < 0.65 and free(along) and free(along + 5):
                _car(world, random, along, parking, lit=False, away=sign > 0)
            along += random.uniform(5.2, 7.5)


def _sign(world: World, random: Generator, along: float, across: float) -> None:
    pole = scaled((0.45, 0.46, 0.47), random.uniform(0.6, 1.3))
    height = random.uniform(2.3, 3.1)
    if random.random() < 0.2:
        lit = int(3 * random.random())
        off = (0.16, 0.15, 0.14)
        lamps = ((0.95, 0.15, 0.10), (0.95, 0.65, 0.10), (0.20, 0.90, 0.45))
        palette = (pole, (0.1, 0.1, 0.1), off, *(lamps[k] if k == lit else off for k in range(3)))
        size = (0.8, height * 1.2, 1.0)
        kind, glow = shapes.TRAFFIC_LIGHT, 1 << (shapes.RED + lit)
    else:
        palette = (pole, *SIGN_PAINT[int(len(SIGN_PAINT) * random.random())])
        size = (random.uniform(0.7, 0.95), height, 1.0)
        kind, glow = shapes.SIGNS[int(len(shapes.SIGNS) * random.random())], 0
    world.stand(kind, along, across, size, palette, SIGN, facing=True, instance=True, glow=glow)


def _person(world: World, random: Generator, along: float, across: float) -> None:
    height = random.uniform(1.05, 1.35) if random.random() < 0.15 else random.uniform(1.55, 1.9)
    palette = (
        scaled(pick(random, COATS), 0.7),
        pick(random, COATS),
        pick(random, SKINS),
        scaled(pick(random, SKINS), 0.4),
    )
    kind = shapes.WALKING if random.random() < 0.6 else shapes.STANDING
    size = (height * 0.36 * (1 if random.random() < 0.5 else -1), height, 1.0)
    world.stand(kind, along, across, size, palette, PERSON, facing=True, instance=True)


def _car(world: World, random: Generator, along: float, across: float, *, lit: bool, away: bool) -> None:
    paint = pick(random, CAR_PAINT)
    lamp = (0.75, 0.08, 0.06) if away else (0.95, 0.93, 0.82)
    palette = (paint, (0.16, 0.19, 0.23), (0.07, 0.07, 0.07), lamp, (0.85, 0.84, 0.74))
    if random.random() < 0.15:
        kind, size = shapes.VAN, (1.95, random.uniform(2.0, 2.7), 5.4)
    else:
        kind, size = shapes.CAR, (1.8, random.uniform(1.4, 1.75), random.uniform(3.8, 4.7))
    glow = 1 << shapes.LIGHT if lit else 0
    world.stand(kind, along, across, size, palette, CAR, instance=True, glow=glow)


def _far_end(world: World, random: Generator) -> None:
    """Houses and trees across the end of the road, and a wooded hill behind them."""
    x, z, _ = world.road.at(LENGTH, 0.0)
    left = x - 90.0
    palette: tuple[Colour, ...]
    while left < x + 90:
        width = random.uniform(8, 26)
        place = (left + width / 2, z + random.uniform(6, 12), 0.0)
        if random.random() < 0.5:
            palette, kind, class_id = (pick(random, WALL_PAINT),), shapes.END_WALL, BUILDING
            size = (width, random.uniform(6, 20), 1.0)
        else:
            leaf = pick(random, LEAVES)
            palette, kind, class_id = (leaf, scaled(leaf, 0.8), leaf), shapes.HEDGE, TREE
            size = (width, random.uniform(3, 8), 1.0)
        windows = 6 if class_id == BUILDING else 0
        world.things.append(Thing(LENGTH + 30, kind, place, size, palette, class_id, 0, windows))
        left += width
    leaf = scaled(pick(random, LEAVES), 0.8)
    for index in range(9):
        place = ((index - 4) * 60.0 + x, z + 80, 0.0)
        size = (64.0, random.uniform(5, 16), 1.0)
        world.things.append(Thing(LENGTH + 80, shapes.HEDGE, place, size, (leaf, leaf, leaf), TREE))


def _traffic(world: World, random: Generator) -> None:
    road = world.road
    walker = random.uniform(8, 22) if random.random() < 0.25 else -99.0
    if walker > 0:
        _person(world, random, walker, random.uniform(road.left + 0.5, road.right - 0.5))
    for left, right in zip(road.lines, road.lines[1:], strict=False):
        middle, ego = (left + right) / 2, left < road.camera < right
        away = ego or (right > road.camera and random.random() < 0.8) or len(road.lines) == 2
        along = random.uniform(7, 26) if ego else random.uniform(5, 22)
        while along < 85:
            if random.random() < 0.55 and not -7 < along - walker < 1:
                _car(world, random, along, middle + random.uniform(-0.3, 0.3), lit=True, away=bool(away))
            along += random.uniform(9, 34)
