"""Which things stand where on a street, drawn from one generator."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pupil.data.street import shapes
from pupil.data.street.palette import (
    CAR_PAINT,
    COATS,
    LEAVES,
    SIGN_PAINT,
    SKINS,
    WALL_PAINT,
    Colour,
    pick,
    scaled,
)
from pupil.data.street.world import (
    BUILDING,
    CAR,
    LANE_MARK,
    PAVEMENT,
    PERSON,
    ROAD,
    SHOP,
    SIGN,
    TREE,
    Road,
    Thing,
    World,
)

LENGTH = 115.0  # metres of road; a row of houses and trees closes its far end


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
    world.lay(-12, LENGTH + 60, -60, 60, paving, PAVEMENT)
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
    # Whole storeys of 3 metres, and a little wall over the last window.
    height = 3.0 * int(random.uniform(1, 3) if gabled else random.uniform(2, 7)) + 0.9
    deep, pieces = random.uniform(7, 11), max(1, round((far - near) / 5))
    step = (far - near) / pieces
    columns = int(random.uniform(1, 4)) + (SHOP if random.random() < 0.3 else 0)
    across = border + sign * deep / 2
    shape, gable = (shapes.GABLED, shapes.GABLE_WALL) if gabled else (shapes.FACADE, shapes.END_WALL)
    for index in range(pieces):
        start = near + index * step
        # On the outside of a bend the border is longer than the road.
        size = (deep, height, step * (1.02 + abs(world.road.curvature * across)))
        if index == 0:
            world.stand(gable, near, across, size, palette, BUILDING, key=near + step + 0.01, windows=3)
        world.stand(shape, start, across, size, palette, BUILDING, key=start + step, windows=columns)


def _garden(world: World, random: Generator, sign: int, near: float, far: float, border: float, green: Colour) -> None:
    """A hedge higher than the camera with trees behind it."""
    palette = (green, scaled(green, 0.75), green, scaled(green, 1.2))
    size = (1.0, random.uniform(2.1, 3.2), (far - near) * (1.02 + abs(world.road.curvature * border)))
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
    size = (8.0, 3.0 * int(random.uniform(2, 5)) + 0.9, 16.0)
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
        along = random.uniform(6, 14) if random.random() < 0.7 else random.uniform(14, 50)
        _sign(world, random, along, kerb + sign * random.uniform(0.4, 0.7))
    for _ in range((0, 1, 2, 3, 5, 7)[int(6 * random.random())]):
        along = random.uniform(5, 12) if random.random() < 0.7 else random.uniform(12, 45)
        # Some have stepped off the kerb to cross.
        nearest = -2.5 if random.random() < 0.35 else 0.6
        _person(world, random, along, kerb + sign * random.uniform(nearest, width - 0.4))
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
        size = (random.uniform(0.9, 1.3), height, 1.0)
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
            size = (width, 3.0 * int(random.uniform(2, 7)) + 0.9, 1.0)
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
