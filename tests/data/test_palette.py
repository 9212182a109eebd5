"""The default colours of classes: apart from one another, from black and from white, and always the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pupil.data.palette import distinct_colours


def cielab(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE 1976 L*a*b* under D65: another measure of what the eye tells apart than the one the palette is made with."""
    encoded = colours / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / [0.9505, 1, 1.089]
    x, y, z = np.moveaxis(np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@pytest.mark.parametrize(("count", "apart"), [(12, 25), (21, 18), (40, 10), (150, 4)])
def test_colours_are_apart_to_the_eye(count: int, apart: float) -> None:
    seen = cielab(np.array([*distinct_colours(count), (0, 0, 0), (255, 255, 255)], float))
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert distances[~np.eye(len(seen), dtype=bool)].min() >= apart


def test_colours_are_bytes_and_the_first_stay() -> None:
    colours = distinct_colours(40)
    assert all(type(part) is int and 0 <= part <= 255 for colour in colours for part in colour)
    assert distinct_colours(7) == colours[:7]
    assert distinct_colours(0) == ()
