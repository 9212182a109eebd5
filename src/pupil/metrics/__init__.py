"""Scores that torchmetrics lacks: arrays in, numbers out."""

from pupil.metrics.bdd100k import BDD100KScores, bdd100k_scores
from pupil.metrics.culane import (
    CULaneCounts,
    CULaneScores,
    culane_counts,
    culane_iou,
    culane_spline,
    evaluate_culane,
    f1_score,
)
from pupil.metrics.kitti import (
    KITTIDetections,
    KITTILevel,
    KITTIObjects,
    KITTIRule,
    KITTIScores,
    kitti_scores,
)
from pupil.metrics.tusimple import TuSimpleScores, evaluate_tusimple, tusimple_scores
from pupil.metrics.voc import VOCDetections, VOCObjects, VOCScores, voc_scores

__all__ = [
    "BDD100KScores",
    "CULaneCounts",
    "CULaneScores",
    "KITTIDetections",
    "KITTILevel",
    "KITTIObjects",
    "KITTIRule",
    "KITTIScores",
    "TuSimpleScores",
    "VOCDetections",
    "VOCObjects",
    "VOCScores",
    "bdd100k_scores",
    "culane_counts",
    "culane_iou",
    "culane_spline",
    "evaluate_culane",
    "evaluate_tusimple",
    "f1_score",
    "kitti_scores",
    "tusimple_scores",
    "voc_scores",
]
