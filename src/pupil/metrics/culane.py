"""The CULane lane benchmark: lanes drawn 30 pixels wide, matched where their areas overlap.

A lane is an array (P, 2) of (x, y), counted in pixels from the centre of the first one; points that are not finite are
left out, and a lane without any other is none. Legend: L lanes, P points, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pupil.errors import UsageError
from pupil.metrics.thick_lines import drawn

SIZE = (590, 1640)
WIDTH = 30
THRESHOLD = 0.5
SAMPLES = 50  # of the curve, for each piece between two points


class CULaneCounts(NamedTuple):
    """How many lanes were found, invented and missed."""

    tp: int
    fp: int
    fn: int


class CULaneScores(NamedTuple):
    """The scores of a list of images, and the counts they follow from; of crossroads, fp is the one that counts.

    Args:
        f1: 2 precision recall / (precision + recall).
        precision: tp / (tp + fp).
        recall: tp / (tp + fn).
        tp: lanes that were found.
        fp: lanes that were predicted where there are none.
        fn: lanes that were missed.
        missing: images without a file of results, which count as images without lanes.
    """

    f1: float
    precision: float
    recall: float
    tp: int
    fp: int
    fn: int
    missing: int


def culane_counts(
    prediction: Iterable[ArrayLike],
    target: Iterable[ArrayLike],
    *,
    threshold: float = THRESHOLD,
    width: int = WIDTH,
    size: Sequence[int] = SIZE,
) -> CULaneCounts:
    """Count the lanes of one image as the benchmark does; sum the counts over images before :func:`f1_score`.

    Lanes are paired one to one so that the sum of their IoU is largest; a pair above the threshold is a lane found.

    Args:
        prediction: lanes that a network found.
        target: labelled lanes.
        threshold: of the IoU.
        width: at which lanes are drawn, in pixels.
        size: (H, W) of the images that the points count in.

    Shape:
        prediction, target: (P, 2) each.

    Raises:
        UsageError: for lanes that are no points.

    Reference:
        X. Pan et al., "Spatial As Deep: Spatial CNN for Traffic Scene Understanding", AAAI 2018, and the evaluator of
        XingangPan/SCNN. That pairs lanes up to 0.01 of the largest sum; here the sum is the largest.

    Example:
        >>> upright = [[100, 589], [100, 300]]
        >>> culane_counts([upright, [[900, 589], [900, 300]]], [upright])
        CULaneCounts(tp=1, fp=1, fn=0)
    """
    from scipy.optimize import linear_sum_assignment

    iou = culane_iou(prediction, target, width=width, size=size)
    found = int((iou[linear_sum_assignment(iou, maximize=True)] > threshold).sum())
    return CULaneCounts(found, iou.shape[0] - found, iou.shape[1] - found)


def culane_iou(
    prediction: Iterable[ArrayLike], target: Iterable[ArrayLike], *, width: int = WIDTH, size: Sequence[int] = SIZE
) -> NDArray[np.float64]:
    """Intersection over union of every predicted and every labelled lane, drawn as thick lines.

    A lane of one point, or one that runs outside the image, overlaps with nothing.

    Args:
        prediction: lanes that a network found.
        target: labelled lanes.
        width: at which lanes are drawn, in pixels.
        size: (H, W) of the images that the points count in.

    Shape:
        prediction: L lanes (P, 2); target: L' lanes (P, 2); returned: (L, L').

    Raises:
        UsageError: for lanes that are no points.

    Example:
        >>> upright = [[100, 589], [100, 300]]
        >>> culane_iou([upright], [upright, [[110, 589], [110, 300]]]).round(2)
        array([[1.  , 0.51]])
    """
    ours, theirs = (
        [drawn(culane_spline(lane), width, size) for lane in map(_points, lanes) if len(lane)]
        for lanes in (prediction, target)
    )
    iou = np.zeros((len(ours), len(theirs)))
    for row, mask in enumerate(ours):
        for column, other in enumerate(theirs):
            union = np.count_nonzero(mask | other)
            iou[row, column] = np.count_nonzero(mask & other) / union if union else 0.0
    return iou


def culane_spline(lane: ArrayLike, samples: int = SAMPLES) -> NDArray[np.float64]:
    """The curve through a lane's points: a natural cubic spline of x and of y over the length of the chords.

    Args:
        lane: its points, in order.
        samples: points of the curve for each piece between two points of the lane.

    Shape:
        (P, 2) to (samples (P - 1) + 1, 2); two points or fewer stay as they are, for a straight line.

    Raises:
        UsageError: for a lane that is no points.

    Example:
        >>> culane_spline([[0, 0], [2, 2], [4, 0]], samples=2).round(3).tolist()
        [[0.0, 0.0], [1.0, 1.375], [2.0, 2.0], [3.0, 1.375], [4.0, 0.0]]
    """
    from scipy.interpolate import CubicSpline

    points = _points(lane)
    if len(points) <= 2:
        return points
    length = np.append(0.0, np.hypot(*np.diff(points, axis=0).T).cumsum())
    pieces = np.arange(samples * (len(points) - 1) + 1) / samples
    curve: NDArray[np.float64] = CubicSpline(length, points, bc_type="natural")(
        np.interp(pieces, np.arange(len(points)), length)
    )
    return curve


def f1_score(tp: int, fp: int, fn: int) -> float:
    """The harmonic mean of precision and recall, from counts over all images; 0 where nothing was found.

    Example:
        >>> f1_score(3, 1, 2)
        0.6666666666666666
    """
    return 2 * tp / max(2 * tp + fp + fn, 1)


def evaluate_culane(
    prediction_folder: str | Path,
    target_folder: str | Path,
    list_path: str | Path,
    *,
    threshold: float = THRESHOLD,
    width: int = WIDTH,
    size: Sequence[int] = SIZE,
) -> CULaneScores:
    """Score a folder of results against the labels, for the images of a list.

    The lanes of `driver_1/X/00000.jpg` stand in `driver_1/X/00000.lines.txt`, in both folders, one lane a line:
    `x y x y ...`.

    Args:
        prediction_folder: what a network found; an image without a file has no lanes.
        target_folder: the labels, the folder of the data set.
        list_path: of the images, such as `list/test.txt` or `list/test_split/test0_normal.txt`; what follows the first
            word of a line is left out.
        threshold: of the IoU.
        width: at which lanes are drawn, in pixels.
        size: (H, W) of the images that the points count in.

    Raises:
        UsageError: for a list or labels that are missing, results of which there are none at all, and a line that is no
            points (file and line are named).
    """
    names = [Path(line.split()[0].lstrip("/")) for line in _lines(Path(list_path)) if line.strip()]
    if not names:
        raise UsageError(f"expected images in {list_path}, got an empty file: give a list such as list/test.txt")
    files = [name.with_suffix(".lines.txt") for name in names]
    results = [Path(prediction_folder, file) for file in files]
    missing = sum(not path.is_file() for path in results)
    if missing == len(results):
        raise UsageError(
            f"expected results such as {results[0]}, got none for any of {missing} images: "
            "name the folder so that the paths of the list follow"
        )
    total = np.zeros(3, dtype=np.int64)
    for file, result in zip(files, results, strict=True):
        lanes = _read(result) if result.is_file() else [], _read(Path(target_folder, file))
        total += culane_counts(*lanes, threshold=threshold, width=width, size=size)
    tp, fp, fn = (int(each) for each in total)
    return CULaneScores(f1_score(tp, fp, fn), tp / max(tp + fp, 1), tp / max(tp + fn, 1), tp, fp, fn, missing)


def _points(lane: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(lane, dtype=np.float64)
    if points.shape == (0,):
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise UsageError(f"expected a lane as points (P, 2), got {points.shape}: one (x, y) for each point")
    points = points[np.isfinite(points).all(axis=1)]
    # A point twice in a row has no direction, and would divide the spline by zero.
    return points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))] if len(points) else points


def _read(path: Path) -> list[NDArray[np.float64]]:
    return [_lane(line, f"{path}, line {number}") for number, line in enumerate(_lines(path), 1) if line.strip()]


def _lane(line: str, where: str) -> NDArray[np.float64]:
    try:
        return np.array([float(word) for word in line.split()]).reshape(-1, 2)
    except ValueError as error:
        raise UsageError(f"{where}: expected x y x y ..., got {line[:40]!r}: {error}") from error


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"expected a text file, got {path}: {error}") from error
