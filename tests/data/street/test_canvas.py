"""The painter's order against a depth buffer, which needs no order at all."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.data.street import canvas
from pupil.data.street.camera import Camera
from pupil.data.street.layout import build

CAMERA = Camera((129, 193), focal=128.0, height=1.5, pitch=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_nearer_polygons_cover_farther_ones(seed: int) -> None:
    world = build(np.random.default_rng(seed))
    polygons, numbers, _ = canvas.paint(world, CAMERA, (0.0, 0.0))
    things = sorted(world.things, key=lambda thing: -thing.along)
    ground, counts = world.corners()
    view = CAMERA.view(np.concatenate([ground, canvas._stand(things)]))
    lengths = np.array(counts + [count for thing in things for count in thing.shape.lengths])
    starts = np.cumsum(lengths) - lengths

    row, column = np.indices(numbers.shape) + 0.5
    nearest, owner = np.zeros(numbers.shape), np.zeros(numbers.shape, int)
    for number, (start, length) in enumerate(zip(starts, lengths, strict=True), start=1):
        covered = canvas._fill(CAMERA, view[start : start + length], np.array([length])) > 0
        inverse = polygons.inverse_depth(np.full_like(numbers, number), row, column)
        nearer = covered & (inverse > nearest + 1e-9)
        nearest[nearer], owner[nearer] = inverse[nearer], number
    painted = polygons.inverse_depth(numbers, row, column)
    hidden = (nearest > 1.05 * painted) & (polygons.classes[owner] != polygons.classes[numbers])
    assert len(np.unique(owner)) > 50
    # A crown is a flat disc here and may reach a little into a wall; nothing else may be out of order.
    assert hidden.mean() < 0.002


def test_what_lies_behind_the_camera_is_cut_away() -> None:
    view = np.array([[-1.0, 1.0, -5.0], [1.0, 1.0, -5.0], [1.0, 1.0, 5.0], [-1.0, 1.0, 5.0]])
    assert canvas._clip(view)[:, 2].min() == pytest.approx(canvas.NEAR)
    filled = canvas._fill(CAMERA, view, np.array([4]))
    assert filled[-1, 96] == 1
    assert filled[64, 96] == 0


def test_shadows_fall_on_the_ground_alone() -> None:
    world = build(np.random.default_rng(2))
    polygons, numbers, shadow = canvas.paint(world, CAMERA, (0.8, 0.4))
    assert 0.01 < shadow.mean() < 0.6
    assert set(np.unique(polygons.classes[numbers[shadow]])) <= {3, 4, 5}
