"""Scores of semantic segmentation from one confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class SegmentationMetrics:
    """mIoU, pixel accuracy, class accuracy and the IoU of each class, all in [0, 1].

    One confusion matrix over the whole data set (torchmetrics) gives them all. A class that is neither labelled
    nor predicted anywhere counts for nothing and has no IoU; code bases that score it 0 report less. Nor does the
    ignored id, where it is one of the classes.

    Args:
        classes: names of the classes.
        ignore_index: label of pixels that count for nothing.

    Shape:
        prediction and target: (N, H, W) class ids.

    Example:
        >>> scores = SegmentationMetrics(["road", "car"])
        >>> scores.update(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[0, 0, 1, 255]]]))
        >>> {name: round(value, 3) for name, value in scores.compute().items()}
        {'miou': 0.5, 'pixel_accuracy': 0.667, 'class_accuracy': 0.75, 'iou/road': 0.5, 'iou/car': 0.5}
    """

    def __init__(self, classes: Sequence[str], ignore_index: int = 255) -> None:
        from torchmetrics.classification import MulticlassConfusionMatrix

        self.classes, self.ignore_index = classes, ignore_index
        self.matrix = MulticlassConfusionMatrix(len(classes), ignore_index=ignore_index, validate_args=False)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count one batch, on the device where it is."""
        self.matrix.to(prediction.device).update(prediction.long(), target.long())

    def compute(self) -> dict[str, float]:
        """The scores over everything counted so far."""
        # Some accelerators have no float64.
        counts = self.matrix.compute().cpu().double()
        hit, labelled, predicted = counts.diag(), counts.sum(dim=1), counts.sum(dim=0)
        iou = hit / (labelled + predicted - hit)
        if 0 <= self.ignore_index < len(self.classes):
            # A name for the ignored id is no class, though the network may predict it where another one is right.
            iou[self.ignore_index] = torch.nan
        return {
            "miou": float(torch.nanmean(iou)),
            "pixel_accuracy": float(hit.sum() / labelled.sum()),
            "class_accuracy": float(torch.nanmean(hit / labelled)),
            **{f"iou/{name}": float(value) for name, value in zip(self.classes, iou, strict=True) if value.isfinite()},
        }
