"""The loss of a segmentation network that learns from labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.precision import precise
from pupil.functional.resizing import resized


class SegmentationLoss(nn.Module):
    """Cross-entropy over labelled pixels, logits resized to the labels, with an optional Dice term.

    L = CE(logits) + dice * (1 - Dice(logits)) + auxiliary_weight * CE(auxiliary logits)

    Logits are resized bilinearly with half-pixel centres (align_corners=False, where many released code bases say
    True). The cross-entropy is a mean over pixels whose label is not ignored; a batch without any counts as zero.

    Args:
        classes: number of classes K.
        ignore_index: label of pixels that count for nothing.
        label_smoothing: share of the target spread evenly over the classes, in [0, 1).
        class_weights: one weight a class, or None.
        dice: weight of the Dice term, mean over the classes present in the batch.
        auxiliary_weight: weight of the cross-entropy of an auxiliary head, where the model has one.

    Shape:
        logits (N, K, h, w); target (N, H, W) int64, or (N, K, H, W) the probability of each class, as mixed images have
        it, all zeros where a pixel is ignored; auxiliary (N, K, h', w') or None; returns a scalar.

    Example:
        >>> loss = SegmentationLoss(3, ignore_index=255)
        >>> loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 8, 8, dtype=torch.long))
        tensor(1.0986)
    """

    class_weights: Tensor | None

    def __init__(
        self,
        classes: int,
        *,
        ignore_index: int = 255,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        dice: float = 0.0,
        auxiliary_weight: float = 0.4,
    ) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise UsageError(f"expected label_smoothing in [0, 1), got {label_smoothing}: 0.1 is usual")
        if class_weights is not None and len(class_weights) != classes:
            raise UsageError(f"expected {classes} class weights, got {len(class_weights)}: give one for each class")
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.dice = dice
        self.auxiliary_weight = auxiliary_weight
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor, auxiliary: Tensor | None = None) -> Tensor:
        logits = resized(precise(logits), target.shape[-2:])
        loss = self._cross_entropy(logits, target)
        if self.dice:
            loss = loss + self.dice * self._dice(logits, target)
        if auxiliary is not None and self.auxiliary_weight:
            auxiliary = resized(precise(auxiliary), target.shape[-2:])
            loss = loss + self.auxiliary_weight * self._cross_entropy(auxiliary, target)
        return loss

    def extra_repr(self) -> str:
        return f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, dice={self.dice}"

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        kept: dict[str, Any] = {"weight": weights, "reduction": "sum"}
        if target.is_floating_point():
            labelled = target.sum(dim=1) > 0
            even = self.label_smoothing / logits.shape[1]
            # PyTorch would smooth the zeros of an ignored pixel too.
            smooth = ((1 - self.label_smoothing) * target + even) * labelled[:, None]
            total = F.cross_entropy(logits, smooth.to(logits.dtype), **kept)
        else:
            labelled = target != self.ignore_index
            kept |= {"ignore_index": self.ignore_index, "label_smoothing": self.label_smoothing}
            total = F.cross_entropy(logits, target, **kept)
        if weights is None:
            return total / labelled.sum().clamp(min=1)
        # A batch without labels gives 0 / tiny = 0, where a plain weighted mean gives NaN.
        own = (
            target.movedim(1, -1) @ weights
            if target.is_floating_point()
            else weights[target.clamp(0, len(weights) - 1)]
        )
        return total / (own * labelled).sum().clamp(min=torch.finfo(logits.dtype).tiny)

    def _dice(self, logits: Tensor, target: Tensor) -> Tensor:
        known = target
        if not target.is_floating_point():
            labelled = target != self.ignore_index
            known = F.one_hot(torch.where(labelled, target, 0), logits.shape[1]).movedim(-1, 1) * labelled[:, None]
        probability = logits.softmax(dim=1) * (known.sum(dim=1, keepdim=True) > 0)
        overlap = (probability * known).sum(dim=(0, 2, 3))
        present = known.sum(dim=(0, 2, 3))
        score = (2 * overlap + 1) / (probability.sum(dim=(0, 2, 3)) + present + 1)
        return ((1 - score) * (present > 0)).sum() / (present > 0).sum().clamp(min=1)
