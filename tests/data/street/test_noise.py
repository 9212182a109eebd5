"""Spoilt labels: only borders and small things change, and always in the same way."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.street import CLASSES, StreetScenes, draw_scene
from pupil.data.street.noise import corrupt


def test_no_noise_is_exact() -> None:
    scene = draw_scene(0)
    assert np.array_equal(corrupt(scene, 0.0, 0), scene.mask)


def test_the_same_seed_makes_the_same_mistakes() -> None:
    first, again = StreetScenes(4, label_noise=0.3), StreetScenes(4, label_noise=0.3)
    assert np.array_equal(first[3][1], again[3][1])
    assert not np.array_equal(first[3][1], StreetScenes(4)[3][1])


def test_the_picture_stays() -> None:
    assert np.array_equal(StreetScenes(2, label_noise=0.5)[1][0], StreetScenes(2)[1][0])


def test_more_noise_changes_more() -> None:
    scenes = [draw_scene(seed) for seed in range(20)]
    changed = [
        np.mean([(corrupt(scene, probability, 7) != scene.mask).mean() for scene in scenes])
        for probability in (0.0, 0.2, 0.5, 1.0)
    ]
    assert changed == sorted(changed)
    assert changed[0] == 0
    assert 0.005 < changed[1] < 0.06
    assert changed[3] < 0.2


@pytest.mark.parametrize("size", [(64, 96), (128, 192)])
def test_only_borders_and_small_things_change(size: tuple[int, int]) -> None:
    reach = 2 * size[0] // 64
    for seed in range(10):
        scene = draw_scene(seed, size)
        spoilt = corrupt(scene, 0.5, seed)
        near_thing, near_class = np.zeros(size, bool), np.zeros(size, bool)
        padded, things = np.pad(scene.mask, reach, mode="edge"), np.pad(scene.instances > 0, reach)
        for down in range(2 * reach + 1):
            for right in range(2 * reach + 1):
                window = (slice(down, down + size[0]), slice(right, right + size[1]))
                near_class |= padded[window] == spoilt
                near_thing |= things[window]
        assert (near_class | near_thing).all()
        assert spoilt.max() < len(CLASSES)
