"""One integer canvas on which every polygon paints its own number: image and labels are look-ups in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pupil.data.street.camera import Camera
from pupil.data.street.world import BUILDING, LANE_MARK, PAVEMENT, ROAD, SKY, Thing, World

Floats = NDArray[np.float64]
NEAR = 0.6  # metres: what is nearer is cut away
SUPERSAMPLING = 3  # odd, so that the middle sample of a pixel is its centre


@dataclass(frozen=True)
class Polygons:
    """What the painter knows of each polygon; number 0 is the sky.

    Shape:
        colours (3, Q), classes, instances, glow, windows (Q,), planes (3, Q) for inverse depth, normals (3, Q) towards
        the camera, walls (Q, 4): x and z of the first corner, and the first edge over its squared length.
    """

    colours: NDArray[np.float32]
    classes: NDArray[np.uint8]
    instances: NDArray[np.int32]
    glow: NDArray[np.bool_]
    windows: NDArray[np.int32]
    planes: Floats
    normals: Floats
    walls: Floats


def paint(
    world: World, camera: Camera, shift: tuple[float, float]
) -> tuple[Polygons, NDArray[np.int32], NDArray[np.bool_]]:
    """Paint the world back to front.

    Args:
        world: ground pieces and things.
        camera: of the supersampled canvas.
        shift: how far a point one metre up throws its shadow, in x and z.

    Returns:
        The polygons, the number of the visible polygon at each sample, and which samples of the ground lie in shadow.
    """
    from PIL import Image, ImageDraw

    things = sorted(world.things, key=lambda thing: -thing.along)
    ground = len(world.ground)
    corners = np.concatenate([*(piece[0] for piece in world.ground), _stand(things)])
    lengths = np.array([*(len(piece[0]) for piece in world.ground), *(n for t in things for n in t.shape.lengths)])
    polygons = _describe(world, things, corners, lengths, camera)

    height, width = camera.size
    canvas = Image.new("I", (width, height), 0)
    pen = ImageDraw.Draw(canvas)
    for number, outline in enumerate(_outlines(camera, corners, lengths), start=1):
        if len(outline) >= 6:
            pen.polygon(outline, fill=number)
    shade = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(shade)
    start = int(lengths[:ground].sum())
    dark = corners[start:].copy()
    dark[:, 0] += dark[:, 1] * shift[0]
    dark[:, 2] += dark[:, 1] * shift[1]
    dark[:, 1] = 0.0
    for outline in _outlines(camera, dark, lengths[ground:]):
        if len(outline) >= 6:
            pen.polygon(outline, fill=255)
    numbers = np.asarray(canvas)
    flat = np.isin(polygons.classes, (ROAD, PAVEMENT, LANE_MARK))
    return polygons, numbers, (np.asarray(shade) > 0) & flat[numbers]


def _stand(things: list[Thing]) -> Floats:
    """The corners of all things in world axes, (V, 3)."""
    counts = [len(thing.shape.vertices) for thing in things]
    local = np.concatenate([thing.shape.vertices for thing in things])
    local = local * np.repeat(np.array([thing.size for thing in things]), counts, axis=0)
    x, z, heading = np.repeat(np.array([thing.place for thing in things]), counts, axis=0).T
    cosine, sine = np.cos(heading), np.sin(heading)
    return np.stack(
        [x + cosine * local[:, 0] + sine * local[:, 2], local[:, 1], z - sine * local[:, 0] + cosine * local[:, 2]],
        axis=1,
    )


def _outlines(camera: Camera, corners: Floats, lengths: NDArray[np.int64]) -> list[list[float]]:
    """Flat pixel coordinates of each polygon, cut at the near plane."""
    view = camera.view(corners)
    behind = view[:, 2] < NEAR
    pixels = camera.pixels(np.where(behind[:, None], [0.0, 0.0, 1.0], view))
    # Pillow puts sample centres on whole numbers.
    flat = (pixels - 0.5).ravel().tolist()
    ends = np.cumsum(lengths)
    starts = ends - lengths
    hidden = np.add.reduceat(behind, starts)
    outlines = [flat[2 * start : 2 * stop] for start, stop in zip(starts.tolist(), ends.tolist(), strict=True)]
    for index in np.flatnonzero(hidden):
        if hidden[index] == lengths[index]:
            outlines[index] = []
        else:
            cut = _clip(view[starts[index] : ends[index]])
            outlines[index] = (camera.pixels(cut) - 0.5).ravel().tolist()
    return outlines


def _clip(view: Floats) -> Floats:
    """One polygon in camera axes without what lies nearer than the near plane."""
    kept = []
    for point, following in zip(view, np.roll(view, -1, axis=0), strict=True):
        if point[2] >= NEAR:
            kept.append(point)
        if (point[2] >= NEAR) != (following[2] >= NEAR):
            share = (NEAR - point[2]) / (following[2] - point[2])
            kept.append(point + share * (following - point))
    return np.array(kept)


def _describe(
    world: World, things: list[Thing], corners: Floats, lengths: NDArray[np.int64], camera: Camera
) -> Polygons:
    starts = np.cumsum(lengths) - lengths
    thirds = np.stack([starts, starts + lengths // 3, starts + 2 * lengths // 3], axis=1)
    view = camera.view(corners)[thirds]
    normals = np.cross(view[:, 1] - view[:, 0], view[:, 2] - view[:, 0])
    facing = np.sign((normals * view[:, 0]).sum(axis=1, keepdims=True))
    normals = -facing * normals / np.linalg.norm(normals, axis=1, keepdims=True)
    first, edge = corners[starts][:, [0, 2]], (corners[starts + 1] - corners[starts])[:, [0, 2]]
    walls = np.concatenate([first, edge / (edge**2).sum(axis=1, keepdims=True).clip(1e-6)], axis=1)

    ground = [(colour, class_id, 0, False, 0) for _, colour, class_id in world.ground]
    rows = [
        (
            thing.palette[role],
            thing.class_id,
            thing.instance,
            bool(thing.glow >> role & 1),
            thing.windows if thing.class_id == BUILDING and role == 0 else 0,
        )
        for thing in things
        for role in thing.shape.roles
    ]
    colours, classes, instances, glow, windows = zip(((0.0, 0.0, 0.0), SKY, 0, True, 0), *ground, *rows, strict=True)
    return Polygons(
        np.array(colours, np.float32).T,
        np.array(classes, np.uint8),
        np.array(instances, np.int32),
        np.array(glow),
        np.array(windows, np.int32),
        np.concatenate([np.zeros((1, 3)), camera.inverse_depth(view)]).T,
        np.concatenate([np.zeros((1, 3)), normals]).T,
        np.concatenate([np.zeros((1, 4)), walls]),
    )
