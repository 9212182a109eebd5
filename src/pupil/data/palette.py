"""Colours that tell classes apart, for masks, pictures and reports."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


@cache
def distinct_colours(count: int) -> tuple[Colour, ...]:
    """As many colours as there are classes, each as far as can be from those before it.

    The distance is that of the eye (the OKLab space). Black and white stay free, for ignored pixels and outlines, and
    the first colours stay the same whatever the count.

    Args:
        count: how many colours.

    Reference:
        OKLab: Björn Ottosson, "A perceptual color space for image processing" (2020).

    Example:
        >>> len(set(distinct_colours(150)))
        150
        >>> distinct_colours(3) == distinct_colours(9)[:3]
        True
    """
    levels = np.linspace(0, 255, 16)
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    # OKLab stretches the darkest colours apart, which on a screen are all black.
    candidates = candidates[_oklab(candidates)[:, 0] > 0.4]
    seen = _oklab(candidates)
    nearest = np.minimum(*(np.linalg.norm(seen - _oklab(taken), axis=1) for taken in ([0, 0, 0], [255] * 3)))
    colours: list[Colour] = []
    for _ in range(count):
        best = int(nearest.argmax())
        red, green, blue = candidates[best].astype(int).tolist()
        colours.append((red, green, blue))
        nearest = np.minimum(nearest, np.linalg.norm(seen - seen[best], axis=1))
    return tuple(colours)


def _oklab(colours: object) -> NDArray[np.float64]:
    encoded = np.asarray(colours, np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    lab: NDArray[np.float64] = np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return lab
