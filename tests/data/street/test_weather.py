"""Light and weather change the picture as their names say, and never the labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pupil.data.street import canvas, weather
from pupil.data.street.camera import Camera
from pupil.data.street.layout import build
from pupil.data.street.weather import CONDITIONS, Weather, draw_weather

CAMERA = Camera((129, 193), focal=128.0, height=1.5, pitch=0.03)
SCENE = canvas.paint(build(np.random.default_rng(1)), CAMERA, (0.5, 0.3))


def some(condition: str) -> Weather:
    draws = (draw_weather(np.random.default_rng(seed)) for seed in range(1000))
    return next(drawn for drawn in draws if drawn.condition == condition)


def lit(drawn: Weather) -> np.ndarray:
    return weather.light(drawn, *SCENE, CAMERA)


def test_every_condition_gives_a_readable_picture() -> None:
    for condition in CONDITIONS:
        picture = lit(some(condition))
        assert picture.shape == (3, 129, 193)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert 0.05 < picture.mean() < 0.9
        assert picture.std() > 0.03


def test_night_is_darker_than_day() -> None:
    assert lit(some("night")).mean() < 0.6 * lit(some("overcast")).mean()


def test_fog_takes_far_things_to_the_horizon_and_leaves_near_ones() -> None:
    clear = replace(some("overcast"), visibility=1e6)
    foggy = replace(clear, visibility=20.0)
    far = SCENE[1] > 0
    haze = np.array(clear.horizon)[:, None, None]
    before, after = np.abs(lit(clear) - haze), np.abs(lit(foggy) - haze)
    assert (after <= before + 1e-5)[:, far].all()
    row, column = np.indices(SCENE[1].shape) + 0.5
    told = (before.min(axis=0) > 0.05) & (SCENE[1] > 0)
    share = (after / np.maximum(before, 1e-6))[:, told]
    depth = 1 / SCENE[0].inverse_depth(SCENE[1], row, column)[told]
    np.testing.assert_allclose(share[0], np.exp(-depth / 20), atol=0.01)


def test_a_shadow_darkens_the_ground_by_its_shade() -> None:
    drawn = replace(some("clear"), visibility=1e9)
    polygons, numbers, shadow = SCENE
    bright = weather.light(drawn, polygons, numbers, np.zeros_like(shadow), CAMERA)
    np.testing.assert_allclose(lit(drawn)[:, shadow], bright[:, shadow] * drawn.shade, rtol=1e-3, atol=1e-4)
    assert np.array_equal(lit(drawn)[:, ~shadow], bright[:, ~shadow])


def test_a_quiet_sensor_keeps_a_plain_picture() -> None:
    drawn = replace(some("overcast"), noise=0.0, blur=0.0, rain=0, gain=(1.0, 1.0, 1.0), gamma=1.0)
    plain = np.random.default_rng(0).random((3, 32, 48)).astype(np.float32)
    exposed = weather.expose(plain, drawn, np.random.default_rng(0))
    assert np.array_equal(exposed, (plain * 255 + 0.5).astype(np.uint8))


def test_blur_keeps_the_brightness() -> None:
    picture = np.zeros((3, 33, 33), np.float32)
    picture[:, 16, 16] = 1
    blurred = weather._blur(picture, 2.0)
    np.testing.assert_allclose(blurred.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert blurred.max() < 0.2
