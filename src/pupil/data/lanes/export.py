"""Lane data and predictions in TuSimple's form: images with JSON lines, and what its evaluation reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pupil.data.lanes.lane_images import LaneData
from pupil.data.lanes.points import at_rows, found, without_unseen
from pupil.data.lanes.tusimple import SPLITS, TuSimple
from pupil.errors import UsageError

ABSENT = -2


def write_tusimple(data: LaneData, root: str | Path, split: str, *, count: int | None = None) -> Path:
    """Write images and lanes in the layout that :class:`~pupil.data.lanes.tusimple.TuSimple` reads.

    Images become PNG, lanes are given at the data's own rows, to a hundredth of a pixel. Empty slots and lanes beyond
    the image are not written, so that a reader assigns the slots anew.

    Args:
        data: of (image, lanes), lanes (S, P, 2).
        root: the folder to write to.
        split: train, val or test.
        count: how many items, all as it stands.

    Returns:
        The label file.

    Raises:
        UsageError: for another split, or data whose labels are masks.
    """
    if split not in SPLITS:
        raise UsageError(f"expected train, val or test of TuSimple, got {split!r}")
    if not data.rows:
        raise UsageError(f"expected lanes as points, got {type(data).__name__}, whose lanes are masks")
    labels = Path(root) / SPLITS[split][0]
    labels.parent.mkdir(parents=True, exist_ok=True)
    with labels.open("w", encoding="utf-8") as file:
        for index in range(len(data) if count is None else count):
            image, lanes = data[index]
            raw_file = f"clips/{split}/{index}/20.png"
            place = labels.parent / raw_file
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(image.permute(1, 2, 0).numpy())).save(place)
            rows = [round(row * image.shape[1]) for row in data.rows]
            seen = without_unseen(lanes.numpy(), (image.shape[1], image.shape[2]))
            record = {"lanes": _listed(seen, rows), "h_samples": rows, "raw_file": raw_file}
            file.write(json.dumps(record) + "\n")
    return labels


def write_submission(
    path: str | Path, data: TuSimple, predictions: Iterable[Any], *, run_times: Sequence[float] | None = None
) -> None:
    """Write predictions as TuSimple's evaluation reads them, at the rows that each image is asked for.

    Args:
        path: the file.
        data: what was predicted, in its order.
        predictions: lanes (S, R, 2) of each image, in its pixels.
        run_times: milliseconds that each image took; the evaluation refuses more than 200. 0 where it is not given.

    Raises:
        UsageError: for more or fewer predictions than images.
    """
    given = list(predictions)
    times = [0.0] * len(given) if run_times is None else list(run_times)
    if not len(given) == len(times) == len(data):
        raise UsageError(
            f"expected a prediction and a time for each of {len(data)} images, got {len(given)} and {len(times)}"
        )
    with Path(path).open("w", encoding="utf-8") as file:
        for record, lanes, time in zip(data.records, given, times, strict=True):
            file.write(as_record(record.raw_file, lanes, record.h_samples, run_time=time) + "\n")


def as_record(raw_file: str, lanes: Any, rows: Sequence[float], *, run_time: float = 0.0) -> str:
    """One line of a submission: the lanes (S, R, 2) of an image, at these rows of it."""
    return json.dumps(
        {"raw_file": raw_file, "lanes": _listed(lanes, rows), "h_samples": list(rows), "run_time": run_time}
    )


def _listed(lanes: Any, rows: Sequence[float]) -> list[list[float]]:
    """The x of each lane that is there, at these rows."""
    points = np.asarray(lanes, np.float64)
    x = [_at(lane, rows) for lane in points[found(points).any(axis=1)]]
    # Below 0 stands for nothing in this form: what lies in the first half pixel is put on its centre.
    return [[round(max(each, 0.0), 2) if each >= -0.5 else ABSENT for each in lane.tolist()] for lane in x]


def _at(lane: NDArray[np.float64], rows: Sequence[float]) -> NDArray[np.float64]:
    x = at_rows(lane, rows)
    # A row that was looked at and shows no lane stays without one, though there are points above and below it.
    looked = lane[np.isfinite(lane[:, 1]) & np.isnan(lane[:, 0]), 1]
    x[np.isin(rows, looked)] = np.nan
    return x
