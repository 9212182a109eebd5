"""What a layout puts on a street: consistent, repeatable, and with something of everything among many."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pupil.data.street.layout import LENGTH, build
from pupil.data.street.world import CAR, LANE_MARK, PAVEMENT, PERSON, ROAD, SIGN, World

SEEDS = range(20)


def drawn(seed: int) -> World:
    return build(np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_layout_is_sound(seed: int) -> None:
    world = drawn(seed)
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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_class_of_an_instance_is_the_one_that_is_remembered(seed: int) -> None:
    world = drawn(seed)
    for thing in world.things:
        assert not thing.instance or world.kinds[thing.instance - 1] == thing.class_id


@pytest.mark.parametrize("seed", SEEDS)
def test_every_thing_has_a_colour_for_each_of_its_polygons(seed: int) -> None:
    for thing in drawn(seed).things:
        assert max(thing.shape.roles) < len(thing.palette)
        assert thing.glow < 1 << len(thing.palette)
        assert min(map(abs, thing.size)) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_road_lies_on_the_pavement_and_the_marks_on_the_road(seed: int) -> None:
    world = drawn(seed)
    laid = [strip.class_id for strip in world.ground]
    height = {PAVEMENT: 0, ROAD: 1, LANE_MARK: 2}
    # Later strips hide earlier ones, so paint comes last.
    assert [height[each] for each in laid] == sorted(height[each] for each in laid)
    assert {PAVEMENT, ROAD} <= set(laid)
    for strip in world.ground:
        assert strip.near < strip.far
        assert strip.left < strip.right
        if strip.class_id == LANE_MARK:
            assert world.road.left < strip.left < strip.right < world.road.right
            assert strip.far <= LENGTH


def test_equal_generators_build_equal_streets_and_others_do_not() -> None:
    one, same, other = drawn(4), drawn(4), drawn(5)
    assert one.ground == same.ground
    assert [thing.place for thing in one.things] == [thing.place for thing in same.things]
    assert one.ground != other.ground


def test_streets_vary() -> None:
    worlds = [drawn(seed) for seed in SEEDS]
    assert {len(world.road.lines) for world in worlds} == {2, 3, 4}
    kinds = Counter(kind for world in worlds for kind in world.kinds)
    assert min(kinds[kind] for kind in (CAR, PERSON, SIGN)) >= 20
    assert sum(any(strip.class_id == LANE_MARK for strip in world.ground) for world in worlds) >= 15
