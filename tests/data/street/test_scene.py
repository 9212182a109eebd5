"""Every label of a scene against every other, over many scenes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pupil.data.street import BOX_CLASSES, CLASSES, COLOURS, MIN_PIXELS, Scene, draw_scene
from pupil.errors import UsageError

SKY, ROAD, LANE_MARK = (CLASSES.index(name) for name in ("sky", "road", "lane mark"))


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(seed) for seed in range(200)]


def ground_depth(scene: Scene, row: np.ndarray) -> np.ndarray:
    """Depth of the ground in a row: height over the tangent of the ray's fall."""
    camera = scene.camera
    slope = (row - camera.size[0] / 2) / camera.focal
    return camera.height / (slope * np.cos(camera.pitch) + np.sin(camera.pitch))


def test_a_seed_is_a_scene() -> None:
    first, again, other = draw_scene(11), draw_scene(11), draw_scene(12)
    for name in ("image", "mask", "boxes", "labels", "instances", "depth", "lane_exists"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 96), (96, 64), (32, 512), (512, 32), (320, 512)])
def test_any_size(size: tuple[int, int]) -> None:
    scene = draw_scene(5, size)
    assert scene.image.shape == (3, *size)
    assert scene.mask.shape == scene.depth.shape == scene.instances.shape == size
    assert (scene.image.dtype, scene.mask.dtype, scene.depth.dtype) == (np.uint8, np.uint8, np.float32)
    assert (scene.boxes.dtype, scene.labels.dtype, scene.instances.dtype) == (np.float32, np.int64, np.int32)
    below = np.arange(size[0]) > scene.camera.horizon + 1
    assert not (scene.mask[below] == SKY).any()


def test_a_larger_picture_shows_the_same_scene() -> None:
    for seed in range(8):
        small, large = draw_scene(seed), draw_scene(seed, (192, 288))
        centre = (slice(1, None, 3), slice(1, None, 3))
        assert (small.mask == large.mask[centre]).mean() > 0.96
        near = (small.mask == large.mask[centre]) & (small.depth > 0)
        ratio = small.depth[near] / large.depth[centre][near]
        assert np.mean(np.abs(ratio - 1) < 0.02) > 0.95
        assert np.array_equal(small.lane_exists, large.lane_exists)
        brightness = large.image.reshape(3, 64, 3, 96, 3).mean(axis=(2, 4)) - small.image
        assert abs(brightness.mean()) < 3


def test_a_box_encloses_the_visible_pixels_of_its_thing(scenes: list[Scene]) -> None:
    seen = 0
    for scene in scenes:
        assert len(scene.boxes) == len(scene.labels) == scene.instances.max()
        for number, (box, label) in enumerate(zip(scene.boxes, scene.labels, strict=True), start=1):
            rows, columns = np.nonzero(scene.instances == number)
            assert len(rows) >= MIN_PIXELS
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert set(scene.mask[rows, columns]) == {CLASSES.index(BOX_CLASSES[label])}
            seen += 1
    assert seen > 1000


def test_the_sky_alone_has_no_depth(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert np.array_equal(scene.depth == 0, scene.mask == SKY)
        assert np.isfinite(scene.depth).all()
        assert scene.depth[scene.mask != SKY].min() > 0.5
        assert scene.depth.max() < 300


def test_the_ground_is_as_far_as_the_camera_says(scenes: list[Scene]) -> None:
    for scene in scenes:
        rows, _ = np.nonzero(ground := np.isin(scene.mask, (ROAD, LANE_MARK)))
        expected = ground_depth(scene, rows + 0.5)
        near = (expected > 0) & (expected < 90)
        np.testing.assert_allclose(scene.depth[ground][near], expected[near], rtol=1e-3)
        assert rows.min() >= scene.camera.horizon - 0.5


def test_the_road_recedes_towards_the_horizon(scenes: list[Scene]) -> None:
    for scene in scenes:
        below, above = np.isin(scene.mask[1:], (ROAD, LANE_MARK)), np.isin(scene.mask[:-1], (ROAD, LANE_MARK))
        both = below & above
        both &= scene.depth[:-1] < 90
        assert (scene.depth[:-1][both] > scene.depth[1:][both]).all()


def test_a_thing_is_as_large_as_its_distance_says(scenes: list[Scene]) -> None:
    """A person who stands free is between 1 and 2 metres high by depth, focal length and box."""
    heights = []
    for scene in scenes:
        for number in np.flatnonzero(scene.labels == BOX_CLASSES.index("person")) + 1:
            _, top, _, bottom = scene.boxes[number - 1]
            depth = np.median(scene.depth[scene.instances == number])
            feet = abs(ground_depth(scene, bottom) / depth - 1) < 0.1
            if feet and depth < 20 and bottom < scene.mask.shape[0]:
                heights.append((bottom - top) * depth / scene.camera.focal)
    assert len(heights) > 50
    assert 1.4 < np.median(heights) < 1.9
    assert np.percentile(heights, 98) < 2.2


def test_lane_lines_lie_on_the_road_or_behind_what_hides_it(scenes: list[Scene]) -> None:
    hits = []
    for scene in scenes:
        assert [len(lane) > 0 for lane in scene.lanes] == scene.lane_exists.tolist()
        for lane in scene.lanes:
            column, row = lane.T.astype(int)
            wide = np.pad(scene.mask, 1, mode="edge")
            around = np.stack([wide[row + down, column + right] for down in range(3) for right in range(3)])
            on_road = np.isin(around, (ROAD, LANE_MARK)).any(axis=0)
            hidden = scene.depth[row, column] < ground_depth(scene, lane[:, 1]) * 1.02
            hits.append(on_road | hidden)
    every = np.concatenate(hits)
    assert len(every) > 10_000
    assert every.mean() > 0.999


def test_painted_lane_lines_are_found_along_the_lanes(scenes: list[Scene]) -> None:
    on = [scene.mask[tuple(lane.T[::-1].astype(int))] == LANE_MARK for scene in scenes for lane in scene.lanes]
    assert np.concatenate(on).mean() > 0.3


def test_lanes_are_ordered_from_left_to_right(scenes: list[Scene]) -> None:
    compared = 0
    for scene in scenes:
        lanes = [lane[::-1] for lane in scene.lanes if len(lane)]
        for left, right in pairwise(lanes):
            low, high = max(left[0, 1], right[0, 1]), min(left[-1, 1], right[-1, 1])
            if high > low:
                columns = [np.interp([low, high], lane[:, 1], lane[:, 0]) for lane in (left, right)]
                assert (columns[0] < columns[1]).all()
                compared += 1
    assert compared > 200


def test_every_class_is_common_and_small_ones_are_small(scenes: list[Scene]) -> None:
    counts = np.stack([np.bincount(scene.mask.ravel(), minlength=len(CLASSES)) for scene in scenes])
    share, present = counts.sum(axis=0) / counts.sum(), (counts > 4).mean(axis=0)
    assert (present > 0.6).all(), dict(zip(CLASSES, present, strict=True))
    bounds = {
        "sky": (0.08, 0.3),
        "building": (0.1, 0.35),
        "tree": (0.05, 0.25),
        "road": (0.2, 0.45),
        "pavement": (0.03, 0.15),
        "lane mark": (0.01, 0.05),
        "car": (0.03, 0.15),
        "person": (0.003, 0.03),
        "sign": (0.003, 0.03),
    }
    for name, part in zip(CLASSES, share, strict=True):
        low, high = bounds[name]
        assert low < part < high, (name, part)


def test_all_weathers_occur(scenes: list[Scene]) -> None:
    assert len({scene.condition for scene in scenes}) == 6


def test_names_and_colours_match() -> None:
    assert len(CLASSES) == len(COLOURS) == len(set(COLOURS))
    assert BOX_CLASSES == ("car", "person", "sign")


@pytest.mark.parametrize(("seed", "size"), [(-1, (64, 96)), (0, (31, 96)), (0, (64, 513))])
def test_bounds_are_checked(seed: int, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="expected a"):
        draw_scene(seed, size)
