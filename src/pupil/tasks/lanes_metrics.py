"""Scores of lane detection as three benchmarks count them, gathered over a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pupil.errors import unknown
from pupil.metrics import bdd100k_scores, culane_counts, f1_score, tusimple_scores

# The score that stands in a results table, and the (H, W) in whose pixels a benchmark counts.
SCORES = {"tusimple": "accuracy", "culane": "f1", "bdd100k": "iou"}
FRAMES = {"tusimple": (720, 1280), "culane": (590, 1640), "bdd100k": (720, 1280)}
SUMS = {"tusimple": ("accuracy", "fp", "fn"), "culane": ("tp", "fp", "fn"), "bdd100k": ("accuracy", "iou")}
IMAGES = "images"

Lanes = NDArray[np.float64]


class LanesMetrics:
    """The scores of one benchmark: means over the images, or for CULane what follows from counts over all of them.

    ==========  ==============================================================
    tusimple    accuracy, fp, fn: see :func:`pupil.metrics.tusimple_scores`
    culane      f1, precision, recall, tp, fp, fn: see :func:`pupil.metrics.culane_counts`
    bdd100k     iou, accuracy: see :func:`pupil.metrics.bdd100k_scores`
    ==========  ==============================================================

    Tolerances are in pixels of the benchmark's images; points are brought to their size first, so that they mean the
    same share of any image. With TuSimple a label's rows are those that it names; predictions are read off there.

    Args:
        metric: "tusimple", "culane" or "bdd100k".
        frame: (H, W) of the images, the benchmark's own as it stands.
        ignore_index: id of pixels that count for nothing, with "bdd100k".

    Shape:
        prediction (N, S, R, 2) and target (N, S', P, 2), in pixels of the images; with "bdd100k" ids (N, H, W).

    Example:
        >>> import torch
        >>> lane = torch.tensor([[[[100.0, 400], [90, 410]]]])
        >>> scores = LanesMetrics("tusimple")
        >>> scores.update(lane, lane)
        >>> scores.compute()
        {'accuracy': 1.0, 'fp': 0.0, 'fn': 0.0}
    """

    def __init__(self, metric: str, *, frame: tuple[int, int] | None = None, ignore_index: int = 255) -> None:
        from torchmetrics import SumMetric

        if metric not in SCORES:
            raise unknown("metric", metric, SCORES)
        self.metric, self.ignore_index = metric, ignore_index
        own, frame = FRAMES[metric], FRAMES[metric] if frame is None else frame
        self.scale = own[1] / frame[1], own[0] / frame[0]
        self.sums: Mapping[str, Any] = {name: SumMetric(nan_strategy="disable") for name in (*SUMS[metric], IMAGES)}

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count one batch."""
        ours, theirs = (each.detach().cpu().numpy() for each in (prediction, target))
        counted = np.array([(*self._image(*pair), 1.0) for pair in zip(ours, theirs, strict=True)])
        for sums, value in zip(self.sums.values(), counted.sum(axis=0).tolist(), strict=True):
            sums.to(prediction.device).update(value)

    def compute(self) -> dict[str, float]:
        """The scores over everything counted so far; their first is the one of the results table."""
        total = {name: float(sums.compute()) for name, sums in self.sums.items()}
        images = max(total.pop(IMAGES), 1.0)
        if self.metric == "culane":
            tp, fp, fn = (round(value) for value in total.values())
            rates = {"f1": f1_score(tp, fp, fn), "precision": tp / max(tp + fp, 1), "recall": tp / max(tp + fn, 1)}
            return rates | total
        means = {name: value / images for name, value in total.items()}
        return {SCORES[self.metric]: means[SCORES[self.metric]], **means}

    def _image(self, prediction: NDArray[Any], target: NDArray[Any]) -> tuple[float, ...]:
        if self.metric == "bdd100k":
            counted = target != self.ignore_index
            return bdd100k_scores(prediction * counted, target * counted)
        ours, theirs = (lanes.astype(np.float64) * self.scale for lanes in (prediction, target))
        if self.metric == "culane":
            return culane_counts(_there(ours), _there(theirs))
        named = theirs if np.isfinite(theirs[..., 1]).any() else ours
        rows = np.unique(named[..., 1][np.isfinite(named[..., 1])])
        return tusimple_scores(_at(ours, rows), _at(theirs, rows), rows)


def _there(lanes: Lanes) -> Lanes:
    """The lanes that have a point."""
    return lanes[np.asarray(np.isfinite(lanes).all(axis=2)).any(axis=1)]


def _at(lanes: Lanes, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x (L, R) of the lanes that are there, linear between rows of their own, NaN beside one that shows none."""
    found = np.full((0, len(rows)), np.nan)
    for lane in _there(lanes):
        lane = lane[np.isfinite(lane[:, 1])]
        x, y = lane[np.argsort(lane[:, 1], kind="stable")].T
        found = np.append(found, np.interp(rows, y, x, left=np.nan, right=np.nan)[None], axis=0)
    return found
