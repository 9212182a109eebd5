"""Scores of classification: how often it is right, in which classes, and how right it is about how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

BINS = 15
TOP = 5
LISTED = 100  # with more classes than this, nobody reads a score of each


class ClassificationMetrics:
    """Accuracy over the images and over the classes, top-5 accuracy, calibration, and the accuracy of each class.

    The calibration error is the mean distance between confidence and accuracy over 15 equal bins of confidence, by
    torchmetrics; smaller is better. Top-5 accuracy stands where there are more than five classes, that of each class
    where there are at most a hundred; a class without images has none. All are in [0, 1].

    Args:
        classes: names of the K classes.

    Shape:
        prediction (N, K) probabilities, target (N,) class ids.

    Example:
        >>> scores = ClassificationMetrics(["cat", "dog"])
        >>> scores.update(torch.tensor([[0.9, 0.1], [0.6, 0.4]]), torch.tensor([0, 1]))
        >>> {name: round(value, 3) for name, value in scores.compute().items()}
        {'accuracy': 0.5, 'class_accuracy': 0.5, 'calibration_error': 0.35, 'accuracy/cat': 1.0, 'accuracy/dog': 0.0}
    """

    def __init__(self, classes: Sequence[str]) -> None:
        from torchmetrics import MetricCollection
        from torchmetrics.classification import (
            MulticlassAccuracy,
            MulticlassCalibrationError,
            MulticlassConfusionMatrix,
        )

        self.classes = classes
        kept: dict[str, Any] = {"num_classes": len(classes), "validate_args": False}
        self.matrix = MulticlassConfusionMatrix(**kept)
        others: dict[str, Any] = {"calibration_error": MulticlassCalibrationError(**kept, n_bins=BINS)}
        if len(classes) > TOP:
            others["top5_accuracy"] = MulticlassAccuracy(**kept, average="micro", top_k=TOP)
        self.others = MetricCollection(others, compute_groups=False)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count one batch, on the device where it is."""
        target = target.long()
        self.matrix.to(prediction.device).update(prediction.argmax(dim=1), target)
        self.others.to(prediction.device).update(prediction, target)

    def compute(self) -> dict[str, float]:
        """The scores over everything counted so far."""
        # Some accelerators have no float64.
        counts = self.matrix.compute().cpu().double()
        right = counts.diag() / counts.sum(dim=1)
        each = zip(self.classes, right, strict=True) if len(self.classes) <= LISTED else ()
        return {
            "accuracy": float(counts.diag().sum() / counts.sum()),
            "class_accuracy": float(torch.nanmean(right)),
            **{str(name): float(value) for name, value in self.others.compute().items()},
            **{f"accuracy/{name}": float(value) for name, value in each if value.isfinite()},
        }
