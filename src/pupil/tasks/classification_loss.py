"""The loss of a classifier that learns from labels, whole or mixed."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.precision import precise


class ClassificationLoss(nn.Module):
    """Cross-entropy, averaged over the images.

    L = CE(logits, target) + auxiliary_weight * CE(auxiliary logits, target)

    Args:
        label_smoothing: share of the target spread evenly over the classes, in [0, 1).
        auxiliary_weight: weight of the cross-entropy of an auxiliary classifier, where the network has one.

    Shape:
        logits (N, K); target (N,) int64, or (N, K) the probability of each class, as mixed images have it; auxiliary
        (N, K) or None; returns a scalar.

    Example:
        >>> import torch
        >>> ClassificationLoss()(torch.zeros(2, 4), torch.tensor([0, 3]))
        tensor(1.3863)
    """

    def __init__(self, *, label_smoothing: float = 0.0, auxiliary_weight: float = 0.4) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise UsageError(f"expected label_smoothing in [0, 1), got {label_smoothing}: 0.1 is usual")
        self.label_smoothing = label_smoothing
        self.auxiliary_weight = auxiliary_weight

    def forward(self, logits: Tensor, target: Tensor, auxiliary: Tensor | None = None) -> Tensor:
        loss = self._cross_entropy(logits, target)
        if auxiliary is not None and self.auxiliary_weight:
            loss = loss + self.auxiliary_weight * self._cross_entropy(auxiliary, target)
        return loss

    def extra_repr(self) -> str:
        return f"label_smoothing={self.label_smoothing}, auxiliary_weight={self.auxiliary_weight}"

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(precise(logits), target, label_smoothing=self.label_smoothing)
