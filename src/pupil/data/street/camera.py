"""A pinhole camera over a flat ground: world points to pixels, and planes to their inverse depth in the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks down the z axis from a height above the ground y = 0, pitched towards the ground.

    World axes: x right, y up, z ahead, in metres. Camera axes: x right, y down, z along the optical axis. Image
    coordinates are continuous: the pixel in row i and column j covers [j, j + 1) x [i, i + 1).

    Args:
        size: height and width of the image in pixels.
        focal: focal length in pixels.
        height: of the camera over the ground, in metres.
        pitch: angle below the horizontal, in radians.

    Example:
        >>> camera = Camera((64, 96), focal=64.0, height=1.5, pitch=0.0)
        >>> camera.project(np.array([[0.0, 0.0, 6.0]])).tolist()
        [[48.0, 48.0]]
        >>> camera.horizon
        32.0
    """

    size: tuple[int, int]
    focal: float
    height: float
    pitch: float

    @property
    def horizon(self) -> float:
        """The row in which the ground vanishes."""
        return self.size[0] / 2 - self.focal * math.tan(self.pitch)

    def view(self, points: Array) -> Array:
        """World points in camera axes; the last coordinate is the depth. Shape: (V, 3) to (V, 3)."""
        cosine, sine = math.cos(self.pitch), math.sin(self.pitch)
        x, y, z = points[:, 0], points[:, 1] - self.height, points[:, 2]
        return np.stack([x, -cosine * y - sine * z, cosine * z - sine * y], axis=1)

    def project(self, points: Array) -> Array:
        """World points in front of the camera as image coordinates (column, row). Shape: (V, 3) to (V, 2)."""
        return self.pixels(self.view(points))

    def pixels(self, points: Array) -> Array:
        """Points in camera axes as image coordinates (column, row). Shape: (V, 3) to (V, 2)."""
        height, width = self.size
        centre = np.array([width / 2, height / 2])
        return np.asarray(points[:, :2] / points[:, 2:] * self.focal + centre)

    def inverse_depth(self, corners: Array) -> Array:
        """Coefficients (a, b, c) for which a plane has 1 / depth = a * column + b * row + c in the image.

        A plane n . p = d meets the ray r = ((column - cx) / f, (row - cy) / f, 1) at depth d / (n . r), so inverse
        depth is linear in the image, exactly.

        Args:
            corners: three points of each plane, not on one line, in camera axes.

        Shape:
            corners (Q, 3, 3); the coefficients (Q, 3).
        """
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal = normal / (normal * corners[:, 0]).sum(axis=1, keepdims=True)
        slope = normal[:, :2] / self.focal
        centre = np.array([self.size[1] / 2, self.size[0] / 2])
        return np.concatenate([slope, normal[:, 2:] - (slope * centre).sum(axis=1, keepdims=True)], axis=1)
