"""The scores of BDD100K's lane masks: how much of the lanes was found, and how well the areas overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pupil.errors import UsageError


class BDD100KScores(NamedTuple):
    """Shares in [0, 1]."""

    accuracy: float
    iou: float


def bdd100k_scores(prediction: ArrayLike, target: ArrayLike) -> BDD100KScores:
    """Score the mask of one image: the share of labelled lane pixels that were found, and the IoU of the lane class.

    A data set's scores are the means over all its images. One without labelled lane pixels scores 0 twice, whatever was
    predicted, and counts. These are the paper's scores, not the F-score of the official challenge.

    Args:
        prediction: anything above zero is lane.
        target: the same; label files hold 0 and 255.

    Shape:
        prediction, target: (H, W).

    Raises:
        UsageError: for masks of different shapes.

    Reference:
        Y. Hou, Z. Ma, C. Liu, C. C. Loy, "Learning Lightweight Lane Detection CNNs by Self Attention Distillation",
        ICCV 2019, code cardwing/Codes-for-Lane-Detection.

    Example:
        >>> bdd100k_scores([[0, 1, 1]], [[255, 255, 0]])
        BDD100KScores(accuracy=0.5, iou=0.3333333333333333)
    """
    predicted, labelled = np.asarray(prediction) > 0, np.asarray(target) > 0
    if predicted.shape != labelled.shape:
        raise UsageError(
            f"expected masks of one shape, got {predicted.shape} and {labelled.shape}: "
            "resize the logits to the labels before you take the largest"
        )
    hit, lane = int((predicted & labelled).sum()), int(labelled.sum())
    if lane == 0:
        return BDD100KScores(0.0, 0.0)
    return BDD100KScores(hit / lane, hit / int((predicted | labelled).sum()))
