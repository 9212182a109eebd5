"""Scores of classification: how often it is right, and how right it is about how sure it is."""

from __future__ import annotations

from typing import Any

from torch import Tensor

BINS = 15
TOP = 5


class ClassificationMetrics:
    """Accuracy, top-5 accuracy where there are more than five classes, and the expected calibration error.

    The calibration error is the mean distance between confidence and accuracy over 15 equal bins of confidence, by
    torchmetrics; smaller is better. All are in [0, 1].

    Args:
        classes: number of classes K.

    Shape:
        prediction (N, K) probabilities, target (N,) class ids.

    Example:
        >>> import torch
        >>> scores = ClassificationMetrics(2)
        >>> scores.update(torch.tensor([[0.9, 0.1], [0.6, 0.4]]), torch.tensor([0, 1]))
        >>> {name: round(value, 3) for name, value in scores.compute().items()}
        {'accuracy': 0.5, 'calibration_error': 0.35}
    """

    def __init__(self, classes: int) -> None:
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

        kept: dict[str, Any] = {"num_classes": classes, "validate_args": False}
        scores: dict[str, Any] = {"accuracy": MulticlassAccuracy(**kept, average="micro")}
        if classes > TOP:
            scores["top5_accuracy"] = MulticlassAccuracy(**kept, average="micro", top_k=TOP)
        scores["calibration_error"] = MulticlassCalibrationError(**kept, n_bins=BINS)
        self.scores = MetricCollection(scores, compute_groups=False)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count one batch, on the device where it is."""
        self.scores.to(prediction.device).update(prediction, target.long())

    def compute(self) -> dict[str, float]:
        """The scores over everything counted so far."""
        return {str(name): float(value) for name, value in self.scores.compute().items()}
