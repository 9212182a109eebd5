"""A drawn street scene: one picture and every label of it, from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pupil.data.street import canvas, weather
from pupil.data.street.camera import Camera
from pupil.data.street.canvas import Polygons
from pupil.data.street.layout import build
from pupil.data.street.world import BOX_KINDS, World
from pupil.errors import UsageError

CLASSES = ("sky", "building", "tree", "road", "pavement", "lane mark", "car", "person", "sign")
COLOURS = (
    (133, 193, 233),
    (150, 110, 90),
    (88, 140, 62),
    (92, 92, 104),
    (198, 170, 196),
    (246, 232, 150),
    (38, 84, 190),
    (214, 48, 72),
    (240, 150, 24),
)
BOX_CLASSES = tuple(CLASSES[kind] for kind in BOX_KINDS)
MIN_PIXELS = 8


@dataclass(frozen=True)
class Scene:
    """A picture of a street with all its labels, each true to the others.

    Attributes:
        image: (3, H, W) uint8.
        mask: (H, W) uint8, indices into `CLASSES`.
        boxes: (M, 4) float32, left, top, right, bottom of the visible part; a pixel in column j covers [j, j + 1).
            Things of which fewer than `MIN_PIXELS` pixels are visible have no box.
        labels: (M,) int64, indices into `BOX_CLASSES`.
        instances: (H, W) int32, k + 1 where box k is visible, 0 elsewhere.
        depth: (H, W) float32, metres along the optical axis; 0 where there is none, in the sky.
        lanes: four polylines (P, 2) float32 of column and row, near to far: the second line to the left of the camera's
            lane, its left, its right, and the second to the right. A line that things stand in front of goes on behind
            them; a line that is not painted or not in the image is empty.
        lane_exists: (4,) bool, which of the four lines has points.
        camera: the pinhole camera that saw it.
        condition: the weather, one of `weather.CONDITIONS`.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    instances: NDArray[np.int32]
    depth: NDArray[np.float32]
    lanes: tuple[NDArray[np.float32], ...]
    lane_exists: NDArray[np.bool_]
    camera: Camera
    condition: str


def draw_scene(seed: int, size: tuple[int, int] = (64, 96)) -> Scene:
    """Draw the street scene of a seed; the size changes its resolution, not what stands where.

    Args:
        seed: any integer from 0.
        size: height and width in pixels, from 32 to 512 each.

    Raises:
        UsageError: for a negative seed or a size outside these bounds.

    Example:
        >>> scene = draw_scene(3)
        >>> scene.image.shape, scene.mask.shape, len(scene.lanes)
        ((3, 64, 96), (64, 96), 4)
        >>> bool((scene.depth[scene.mask == CLASSES.index("sky")] == 0).all())
        True
    """
    check_bounds(seed, size)
    random = np.random.default_rng((seed, 0))
    world = build(random)
    sky = weather.draw_weather(random)
    focal, height, pitch = random.uniform(0.85, 1.15), random.uniform(1.25, 1.9), random.uniform(0.0, 0.09)
    camera = Camera(size, focal * size[0], height, pitch)
    # Two samples a pixel and one more: every other sample is the centre of a pixel, and a tent of three by three around
    # it makes the pixel's colour.
    fine = Camera((2 * size[0] + 1, 2 * size[1] + 1), 2 * camera.focal, height, pitch)
    polygons, numbers, shadow = canvas.paint(world, fine, sky.shift)
    picture = weather.light(sky, polygons, numbers, shadow, fine)
    image = weather.expose(_tent(picture), sky, np.random.default_rng((seed, 1)))

    visible = numbers[1::2, 1::2]
    boxes, labels, instances = _boxes(world, polygons.instances[visible])
    lanes = tuple(_lane(world, camera, line) for line in world.lane_lines)
    return Scene(
        image,
        polygons.classes[visible],
        boxes,
        labels,
        instances,
        _depth(polygons, visible),
        lanes,
        np.array([len(lane) > 0 for lane in lanes]),
        camera,
        sky.condition,
    )


def check_bounds(seed: int, size: tuple[int, int]) -> None:
    """That a scene can be drawn.

    Raises:
        UsageError: for a negative seed or a size outside 32 to 512.
    """
    if seed < 0:
        raise UsageError(f"expected a seed from 0, got {seed}: pass a non-negative integer")
    if not all(32 <= length <= 512 for length in size):
        raise UsageError(f"expected a height and a width from 32 to 512, got {tuple(size)}: draw within and resize")


def _tent(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights 1 2 1 along both axes around every other sample. Shape: (3, 2 H + 1, 2 W + 1) to (3, H, W)."""
    rows = samples[:, 1::2] / 2 + (samples[:, :-1:2] + samples[:, 2::2]) / 4
    return np.asarray(rows[:, :, 1::2] / 2 + (rows[:, :, :-1:2] + rows[:, :, 2::2]) / 4, np.float32)


def _depth(polygons: Polygons, visible: NDArray[np.int32]) -> NDArray[np.float32]:
    """Depth at the pixel centres, every other sample of the canvas; 0 in the sky."""
    row, column = 2 * np.indices(visible.shape) + 1.5
    sky = visible == 0
    inverse = np.where(sky, 1, polygons.inverse_depth(visible, row, column))
    return np.where(sky, 0, 1 / inverse).astype(np.float32)


def _boxes(
    world: World, numbers: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int32]]:
    """Boxes around the visible pixels of each thing, and the instances renumbered to match them."""
    rows, columns = np.nonzero(numbers)
    found = numbers[rows, columns]
    count = len(world.kinds) + 1
    low, high = np.full((2, count), 2**15), np.full((2, count), -1)
    np.minimum.at(low[0], found, columns)
    np.minimum.at(low[1], found, rows)
    np.maximum.at(high[0], found, columns)
    np.maximum.at(high[1], found, rows)
    kept = np.flatnonzero(np.bincount(found, minlength=count) >= MIN_PIXELS)
    renumbered = np.zeros(count, np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    boxes = np.stack([low[0], low[1], high[0] + 1, high[1] + 1], axis=1)[kept].astype(np.float32)
    labels = np.array([BOX_KINDS.index(world.kinds[index - 1]) for index in kept], np.int64)
    return boxes, labels, renumbered[numbers]


def _lane(world: World, camera: Camera, line: float | None) -> NDArray[np.float32]:
    """The part of a lane line inside the image, near to far, up to 80 metres."""
    if line is None:
        return np.zeros((0, 2), np.float32)
    points = world.road.curve(1.0 + 79 * np.linspace(0, 1, 72) ** 2, line)
    points = camera.project(points[points[:, 2] > 1.0])
    height, width = camera.size
    inside = (points[:, 0] >= 0) & (points[:, 0] < width) & (points[:, 1] >= 0) & (points[:, 1] < height)
    return points[inside].astype(np.float32)
