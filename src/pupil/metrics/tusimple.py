"""The TuSimple lane benchmark: accuracy, false positives and false negatives, image by image.

Legend: L lanes, R rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pupil.errors import UsageError

TOLERANCE = 20.0  # pixels, across a lane that runs straight up
MATCHED = 0.85  # share of the rows that makes a lane found
SLOWEST = 200.0  # milliseconds
MOST_LANES = 4  # a fifth lane may be missed
ABSENT = -100.0  # far from any lane, so that only another absent point agrees with it


class TuSimpleScores(NamedTuple):
    """Shares in [0, 1], but that fp falls below 0 where one predicted lane is the best for several labelled ones."""

    accuracy: float
    fp: float
    fn: float


def tusimple_scores(
    prediction: ArrayLike, target: ArrayLike, rows: ArrayLike, *, run_time: float = 0.0
) -> TuSimpleScores:
    """Score the lanes of one image as the benchmark does.

    A row of a lane is right where prediction and label are less than 20 / cos(angle) pixels apart, or both absent. Each
    labelled lane takes the predicted one that is right on most rows, its accuracy, and is found from 0.85 on; several
    may take the same. With n = min(4, labelled lanes), at least 1:

    accuracy = sum of the lanes' accuracies / n,
    fp = (predicted - found) / predicted,
    fn = (labelled - found) / n

    Of five labelled lanes or more, the least accurate one is left out of the sum and one missed lane is forgiven. An
    image that took over 200 ms, or has over two lanes too many, scores (0, 0, 1).

    Args:
        prediction: x of each lane at each row; below zero or NaN where the lane is not. Every lane counts, also one
            that is absent from all rows.
        target: the same of the labels.
        rows: y of the rows.
        run_time: milliseconds that the image took.

    Shape:
        prediction: (L, R); target: (L', R); rows: (R,).

    Raises:
        UsageError: for lanes of another number of rows.

    Reference:
        The rules are those of the evaluation script of TuSimple/tusimple-benchmark.

    Example:
        >>> rows = [160, 170, 180, 190]
        >>> tusimple_scores([[100, 100, 100, 130]], [[100, 100, 100, 100]], rows)
        TuSimpleScores(accuracy=0.75, fp=1.0, fn=1.0)
    """
    y = np.asarray(rows, dtype=np.float64)
    predicted, labelled = (_lanes(each, len(y)) for each in (prediction, target))
    if run_time > SLOWEST or len(predicted) > len(labelled) + 2:
        return TuSimpleScores(0.0, 0.0, 1.0)
    tolerance = TOLERANCE * np.sqrt(1 + _slopes(labelled, y) ** 2)  # 1 / cos(arctan(slope))
    apart = np.abs(_placed(predicted)[:, None] - _placed(labelled))
    right = (apart < tolerance[:, None]).mean(axis=2)
    best = right.max(axis=0, initial=0.0)
    found = int((best >= MATCHED).sum())
    missed, total = len(labelled) - found, float(best.sum())
    if len(labelled) > MOST_LANES:
        missed, total = max(missed - 1, 0), total - float(best.min())
    counted = max(min(MOST_LANES, len(labelled)), 1)
    return TuSimpleScores(total / counted, (len(predicted) - found) / max(len(predicted), 1), missed / counted)


def evaluate_tusimple(prediction_path: str | Path, target_path: str | Path) -> TuSimpleScores:
    """Score a file of predictions against a file of labels, both of JSON lines: the means over all labelled images.

    A prediction is `{"raw_file": ..., "lanes": [[x, ...], ...], "run_time": ...}`, where `run_time` may be left out,
    and a label `{"raw_file": ..., "lanes": ..., "h_samples": [y, ...]}`. Lines come in any order.

    Args:
        prediction_path: what a network found.
        target_path: the labels, such as `test_label.json`.

    Raises:
        UsageError: for a file that is missing or empty, a line that is no such object or has lanes of another number of
            rows (file and line are named), and an image that stands in one of the files alone, or twice in one.
    """
    predictions, targets = _by_image(Path(prediction_path)), _by_image(Path(target_path))
    for names, others, path in ((targets, predictions, prediction_path), (predictions, targets, target_path)):
        if lacking := [name for name in names if name not in others]:
            raise UsageError(
                f"expected the same images in both files, got {len(lacking)} that are not in {path}, "
                f"such as {lacking[0]!r}: write one line for each image, with lanes [] where there are none"
            )
    scores = []
    for name, (place, target) in targets.items():
        where, prediction = predictions[name]
        if not isinstance(target.get("h_samples"), list):
            raise UsageError(
                f"{place}: expected a list h_samples, got {sorted(target)}: give the benchmark's label file"
            )
        time = prediction.get("run_time", 0.0)
        if not isinstance(time, int | float):
            raise UsageError(
                f"{where}: expected run_time in milliseconds, got {time!r}: write a number, or leave it out"
            )
        try:
            scores.append(tusimple_scores(prediction["lanes"], target["lanes"], target["h_samples"], run_time=time))
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    return TuSimpleScores(*(float(mean) for mean in np.mean(scores, axis=0)))


def _lanes(lanes: ArrayLike, rows: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(lanes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"expected {rows} numbers in each lane, got {error}: one x for each row") from error
    if array.shape[:1] == (0,):
        return np.empty((0, rows))
    if array.ndim != 2 or array.shape[1] != rows:
        raise UsageError(
            f"expected lanes (L, {rows}), one x for each row, got {array.shape}: write -2 where a lane is not"
        )
    return array


def _placed(lanes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(lanes >= 0, lanes, ABSENT)


def _slopes(lanes: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L,): the slope of the line x = slope y + offset that fits best, 0 for a lane of one point or none."""
    there = lanes >= 0
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    centred = np.where(there, y - (there * y).sum(axis=1, keepdims=True) / count, 0.0)
    spread = (centred**2).sum(axis=1)
    slopes: NDArray[np.float64] = (centred * np.where(there, lanes, 0.0)).sum(axis=1) / np.where(
        spread > 0, spread, 1.0
    )
    return slopes


def _by_image(path: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """The objects of a file by the image that they are of, each with where it stands."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for where, line in _objects(path):
        name = line["raw_file"]
        if name in found:
            raise UsageError(f"{where}: expected each image once, got {name!r} again, as in {found[name][0]}: keep one")
        found[name] = where, line
    if not found:
        raise UsageError(f"expected lanes as JSON lines in {path}, got an empty file: write one line for each image")
    return found


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"expected a file of JSON lines, got {path}: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            found = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{where}: expected a JSON object, got {line[:40]!r}: {error}") from error
        if not (
            isinstance(found, dict) and isinstance(found.get("raw_file"), str) and isinstance(found.get("lanes"), list)
        ):
            raise UsageError(f"{where}: expected a text raw_file and a list lanes, got {line[:40]!r}: write both")
        yield where, found
