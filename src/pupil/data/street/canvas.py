"""One integer canvas on which every polygon paints its own number: image and labels are look-ups in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pupil.data.street.camera import Camera
from pupil.data.street.world import BUILDING, LANE_MARK, PAVEMENT, ROAD, SKY, Thing, World

Floats = NDArray[np.float64]
NEAR = 0.6  # metres: what is nearer is cut away
FAR = 300.0  # metres: no depth is greater
SHADOWS = 50.0  # metres: what stands farther away throws none


@dataclass(frozen=True)
class Polygons:
    """What the painter knows of each polygon; number 0 is the sky.

    Shape:
        colours (3, Q), classes, instances, glow, windows (Q,), planes (3, Q) for inverse depth, reach (2, Q) its
        least and greatest value, normals (3, Q) towards the camera, walls (Q, 4): x and z of the first corner, and
        the first edge over its squared length.
    """

    colours: NDArray[np.float32]
    classes: NDArray[np.uint8]
    instances: NDArray[np.int32]
    glow: NDArray[np.bool_]
    windows: NDArray[np.int32]
    planes: Floats
    reach: Floats
    normals: Floats
    walls: Floats

    def inverse_depth(self, numbers: NDArray[np.int32], row: Floats, column: Floats) -> Floats:
        """One over the depth of each polygon in its place, 0 for the sky.

        The samples along an outline may lie just outside the polygon, where a plane seen from its edge runs off to any
        depth; so no value leaves the range of the polygon's own corners.
        """
        plane = self.planes[0][numbers] * column + self.planes[1][numbers] * row + self.planes[2][numbers]
        return np.asarray(np.clip(plane, self.reach[0][numbers], self.reach[1][numbers]))


def paint(
    world: World, camera: Camera, shift: tuple[float, float]
) -> tuple[Polygons, NDArray[np.int32], NDArray[np.bool_]]:
    """Paint the world back to front.

    Args:
        world: ground pieces and things.
        camera: of the canvas; column and row count its samples.
        shift: how far a point one metre up throws its shadow, in x and z.

    Returns:
        The polygons, the number of the visible polygon at each sample, and which samples of the ground lie in shadow.
    """
    things = sorted(world.things, key=lambda thing: -thing.along)
    ground, counts = world.corners()
    upright = _stand(things)
    corners = np.concatenate([ground, upright])
    lengths = np.array(counts + [count for thing in things for count in thing.shape.lengths])
    polygons = _describe(world, things, corners, lengths, camera)
    numbers = _fill(camera, camera.view(corners), lengths)

    # A shadow is the thing itself, pressed onto the ground along the light.
    near = [thing.shape for thing in things if thing.along < SHADOWS]
    height = upright[-sum(len(shape.vertices) for shape in near) :, 1]
    dark = upright[-len(height) :] + height[:, None] * [shift[0], -1.0, shift[1]]
    shade = _fill(camera, camera.view(dark), lengths[-sum(len(shape.lengths) for shape in near) :])
    flat = np.isin(polygons.classes, (ROAD, PAVEMENT, LANE_MARK))
    return polygons, numbers, (shade > 0) & flat[numbers]


def _stand(things: list[Thing]) -> Floats:
    """The corners of all things in world axes, (V, 3)."""
    counts = [len(thing.shape.vertices) for thing in things]
    local = np.concatenate([thing.shape.vertices for thing in things])
    local *= np.repeat(np.array([thing.size for thing in things]), counts, axis=0)
    x, z, heading = np.repeat(np.array([thing.place for thing in things]), counts, axis=0).T
    cosine, sine = np.cos(heading), np.sin(heading)
    across, along = local[:, 0].copy(), local[:, 2].copy()
    local[:, 0] = x + cosine * across + sine * along
    local[:, 2] = z - sine * across + cosine * along
    return local


def _fill(camera: Camera, view: Floats, lengths: NDArray[np.int64]) -> NDArray[np.int32]:
    """Fill polygons, given by their corners in camera axes, with their numbers from 1; later ones cover earlier ones.

    Polygons outside the canvas or thinner than a fraction of a sample are left out: Pillow would draw them too wide.
    """
    from PIL import Image, ImageDraw

    height, width = camera.size
    ends = np.cumsum(lengths)
    starts = ends - lengths
    behind = view[:, 2] < NEAR
    pixels = camera.pixels(np.where(behind[:, None], [0.0, 0.0, 1.0], view))
    cut = np.logical_or.reduceat(behind, starts)
    # How far inside each side of the view a corner lies; a polygon is out where all its corners are.
    reach = view[:, 2:] * (np.array([width, height]) / 2 / camera.focal)
    inside = np.concatenate([reach - view[:, :2], reach + view[:, :2], view[:, 2:] - NEAR], axis=1)
    seen = (np.maximum.reduceat(inside, starts) > 0).all(axis=1)
    extent = np.maximum.reduceat(pixels, starts) - np.minimum.reduceat(pixels, starts)
    seen &= cut | (extent > 0.6).all(axis=1)
    flat = (pixels - 0.5).ravel().tolist()  # Pillow's samples sit on whole numbers
    canvas = Image.new("I", (width, height), 0)
    pen = ImageDraw.Draw(canvas)
    for index in np.flatnonzero(seen).tolist():
        start, end = starts[index], ends[index]
        outline = flat[2 * start : 2 * end]
        if cut[index]:
            outline = (camera.pixels(_clip(view[start:end])) - 0.5).ravel().tolist()
        pen.polygon(outline, fill=index + 1)
    return np.asarray(canvas)


def _clip(view: Floats) -> Floats:
    """One polygon in camera axes without what lies nearer than the near plane."""
    kept = []
    corners = view.tolist()
    for point, following in zip(corners, [*corners[1:], corners[0]], strict=True):
        if point[2] >= NEAR:
            kept.append(point)
        if (point[2] >= NEAR) != (following[2] >= NEAR):
            share = (NEAR - point[2]) / (following[2] - point[2])
            kept.append([first + share * (second - first) for first, second in zip(point, following, strict=True)])
    return np.array(kept)


def _describe(
    world: World, things: list[Thing], corners: Floats, lengths: NDArray[np.int64], camera: Camera
) -> Polygons:
    starts = np.cumsum(lengths) - lengths
    thirds = np.stack([starts, starts + lengths // 3, starts + 2 * lengths // 3], axis=1)
    view = camera.view(corners)
    depth = np.maximum(view[:, 2], NEAR)
    reach = 1 / np.stack([np.maximum.reduceat(depth, starts), np.minimum.reduceat(depth, starts)])
    # The ground goes on beside each strip, so there the plane itself is right.
    reach[:, : len(world.ground)] = [[1 / FAR], [1 / NEAR]]
    view = view[thirds]
    normals = np.cross(view[:, 1] - view[:, 0], view[:, 2] - view[:, 0])
    facing = np.sign((normals * view[:, 0]).sum(axis=1, keepdims=True))
    normals = -facing * normals / np.linalg.norm(normals, axis=1, keepdims=True)
    first, edge = corners[starts][:, [0, 2]], (corners[starts + 1] - corners[starts])[:, [0, 2]]
    walls = np.concatenate([first, edge / (edge**2).sum(axis=1, keepdims=True).clip(1e-6)], axis=1)

    ground = [(strip.colour, strip.class_id, 0, False, 0) for strip in world.ground]
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
        np.concatenate([np.zeros((2, 1)), reach], axis=1),
        np.concatenate([np.zeros((1, 3)), normals]).T,
        np.concatenate([np.zeros((1, 4)), walls]),
    )
