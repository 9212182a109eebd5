"""The pinhole camera against the textbook, and planes against points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pupil.data.street.camera import Camera


def test_a_point_lands_where_similar_triangles_say() -> None:
    camera = Camera((100, 200), focal=80.0, height=1.5, pitch=0.0)
    assert camera.project(np.array([[2.0, 0.5, 10.0]])) == pytest.approx(np.array([[100 + 80 * 0.2, 50 + 80 * 0.1]]))


def test_far_ground_meets_the_horizon() -> None:
    camera = Camera((100, 200), focal=80.0, height=1.5, pitch=0.08)
    assert camera.project(np.array([[3.0, 0.0, 1e7]]))[0, 1] == pytest.approx(camera.horizon, abs=1e-3)
    assert camera.horizon < 50


def test_height_in_pixels_is_focal_times_height_over_depth() -> None:
    camera = Camera((64, 96), focal=64.0, height=1.5, pitch=0.0)
    feet, head = camera.project(np.array([[1.0, 0.0, 16.0], [1.0, 1.75, 16.0]]))
    assert feet[1] - head[1] == pytest.approx(64 * 1.75 / 16)


def test_inverse_depth_of_a_plane_is_exact_at_every_point_of_it() -> None:
    camera = Camera((64, 96), focal=70.0, height=1.4, pitch=0.06)
    random = np.random.default_rng(0)
    corners = random.uniform(-3, 3, (3, 3)) + np.array([0, 0, 20])
    weights = random.dirichlet(np.ones(3), 50)
    points = weights @ corners
    (coefficients,) = camera.inverse_depth(camera.view(corners)[None])
    column, row = camera.project(points).T
    inverse = coefficients @ np.stack([column, row, np.ones_like(row)])
    np.testing.assert_allclose(1 / inverse, camera.view(points)[:, 2], rtol=1e-9)


def test_pitch_is_a_rotation() -> None:
    camera = Camera((64, 96), focal=70.0, height=1.4, pitch=0.3)
    points = np.random.default_rng(1).normal(size=(20, 3))
    distances = np.linalg.norm(points - [0, 1.4, 0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(camera.view(points), axis=1), distances)
    assert camera.view(np.array([[0.0, 1.4 - math.sin(0.3), math.cos(0.3)]]))[0] == pytest.approx([0, 0, 1])
