from __future__ import annotations

import numpy as np
import pytest

from pupil.errors import UsageError
from pupil.metrics.thick_lines import drawn

SIZE = (40, 60)


def picture(*rows: str) -> np.ndarray:
    return np.array([[mark == "#" for mark in row] for row in rows])


def line(*points: tuple[float, float], width: int = 6, size: tuple[int, int] = SIZE) -> np.ndarray:
    return drawn(np.array(points, dtype=float).reshape(-1, 2), width, size)


def test_a_slanted_line_as_opencv_draws_it() -> None:
    """Pixels of `cv2.line(image, (3, 2), (9, 5), 1, 4)`."""
    expected = picture(
        "...##........",
        "..#####......",
        ".########....",
        "..#########..",
        "..#########..",
        "....########.",
        "......#####..",
        "........##...",
    )
    np.testing.assert_array_equal(line((3, 2), (9, 5), width=4, size=(8, 13)), expected)


def test_any_line_as_opencv_draws_it() -> None:
    cv2 = pytest.importorskip("cv2")
    random = np.random.default_rng(0)
    for width in (2, 8, 30):
        for start, end in random.integers(40, 160, (200, 2, 2)).tolist():
            canvas = np.zeros((200, 200), np.uint8)
            cv2.line(canvas, start, end, 1, width)
            np.testing.assert_array_equal(line(start, end, width=width, size=canvas.shape), canvas > 0)


def test_a_dot_is_the_disc_around_it() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    expected = (x - 30) ** 2 + (y - 20) ** 2 <= 9
    np.testing.assert_array_equal(line((30, 20), (30, 20)), expected)
    np.testing.assert_array_equal(line((30.4, 19.6), (29.6, 20.4), (30, 20)), expected)


def test_fewer_than_two_points_draw_nothing() -> None:
    assert not line((30, 20)).any()
    assert not line().any()


@pytest.mark.parametrize(("end", "box"), [((40, 20), np.s_[17:24, 20:41]), ((20, 30), np.s_[20:31, 17:24])])
def test_a_straight_line_is_a_box_of_one_pixel_more_than_its_width(
    end: tuple[int, int], box: tuple[slice, slice]
) -> None:
    mask = line((20, 20), end)
    assert mask[box].all()
    outside = mask.copy()
    outside[box] = False
    # Beyond its ends there is half a disc each.
    assert outside.sum() == line((30, 20), (30, 20)).sum() - 7


def test_no_pixel_is_farther_than_the_rounding_allows_and_none_that_is_near_is_missing() -> None:
    random = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for _ in range(50):
        start, end = random.integers(-10, 60, (2, 2)).astype(float)
        along = end - start
        place = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max((along**2).sum(), 1)
        place = place.clip(0, 1)
        distance = np.hypot(x - start[0] - place * along[0], y - start[1] - place * along[1])
        # An end outside the image is moved to whole pixels at its border, which turns the line a little.
        slack = 0.8 if ((start >= -6) & (end >= -6) & (start < 46) & (end < 46)).all() else 2.0
        mask = line(start, end)
        assert distance[mask].max(initial=0) <= 3 + slack
        assert distance[~mask].min(initial=99) >= 3 - slack


def test_direction_and_detours_do_not_matter() -> None:
    mask = line((5, 7), (41, 23))
    np.testing.assert_array_equal(line((41, 23), (5, 7)), mask)
    np.testing.assert_array_equal(line((5, 7), (5, 7), (41, 23), (41, 23)), mask)
    bent = line((5, 7), (41, 23), (50, 3))
    np.testing.assert_array_equal(bent, mask | line((41, 23), (50, 3)))


def test_what_lies_outside_the_image_is_cut_off() -> None:
    assert not line((200, 5), (300, 9)).any()
    assert not line((-9, -300), (-8, 900)).any()
    far = line((30, -1e300), (30, 1e300))
    np.testing.assert_array_equal(far, line((30, -100), (30, 100)))
    assert far[:, 27:34].all()
    assert far.sum() == 7 * SIZE[0]


@pytest.mark.parametrize("width", [0, 5, -2])
def test_refuses_a_width_without_a_middle(width: int) -> None:
    with pytest.raises(UsageError, match=f"an even width of 2 pixels or more, got {width}"):
        line((1, 1), (2, 2), width=width)
