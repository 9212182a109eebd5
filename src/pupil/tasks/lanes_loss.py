"""The loss of a lane network that learns from labels.

Legend: N images, L lanes, H x W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.masking import masked_mean
from pupil.functional.precision import precise
from pupil.functional.resizing import resized
from pupil.tasks.segmentation_loss import SegmentationLoss


class LanesLoss(nn.Module):
    """Cross-entropy of the lanes' pixels, and beside it which lanes there are and how well their areas overlap.

    L = CE(logits) + existence_weight * BCE(existence logits) + iou_weight * (1 - IoU)

    The cross-entropy is the weighted mean over labelled pixels, divided by the sum of their weights. The second term is
    binary cross-entropy with logits, a mean over lanes and labelled images; the target is which ids occur in the mask.
    IoU counts the pixels of lanes over the whole batch, with probabilities in place of decisions:

    IoU = (overlap + 1) / (predicted + labelled - overlap + 1),
        overlap   = sum over labelled pixels of lanes of the probability of their own lane,
        predicted = sum over labelled pixels of any kind of the probability of any lane

    Args:
        lanes: L, the ids 1 to L of a mask; 0 is background.
        background_weight: weight of background pixels in the cross-entropy, where those of lanes have 1.
        existence_weight: weight of the second term; 0 turns it off.
        iou_weight: weight of the third term; 0 turns it off, as the released code does.
        label_smoothing: share of each pixel's label that is spread over the classes, in the cross-entropy alone.
        ignore_index: label of pixels that count for nothing.

    Shape:
        logits (N, 1 + L, h, w), resized to the labels; target (N, H, W) int64, or of mixed images (N, 1 + L, H, W)
        probabilities, without any where a pixel is ignored: a lane is then there as far as its surest pixel is;
        existence (N, L) logits or None; returns a scalar.

    Raises:
        UsageError: for no lanes, a negative weight, or logits of another number of lanes.

    Reference:
        Y. Hou, Z. Ma, C. Liu, C. C. Loy, "Learning Lightweight Lane Detection CNNs by Self Attention Distillation",
        ICCV 2019, all three weights as there. The released code of ERFNet has two sigmoids in the existence term, which
        its authors call a mistake; here there is one. Adding 1 to both parts of the IoU keeps it defined without lanes.

    Example:
        >>> loss = LanesLoss(4, iou_weight=0.0)
        >>> loss(torch.zeros(1, 5, 4, 8), torch.zeros(1, 8, 16, dtype=torch.long), torch.zeros(1, 4))
        tensor(1.6788)
    """

    def __init__(
        self,
        lanes: int,
        *,
        background_weight: float = 0.4,
        existence_weight: float = 0.1,
        iou_weight: float = 0.1,
        label_smoothing: float = 0.0,
        ignore_index: int = 255,
    ) -> None:
        super().__init__()
        if lanes < 1:
            raise UsageError(
                f"expected at least one lane, got {lanes}: count the lanes of the data, without background"
            )
        for name, weight in {"background": background_weight, "existence": existence_weight, "iou": iou_weight}.items():
            if not weight >= 0:
                raise UsageError(f"expected {name}_weight of zero or more, got {weight}: zero turns it off")
        self.lanes = lanes
        self.existence_weight = existence_weight
        self.iou_weight = iou_weight
        self.ignore_index = ignore_index
        self.pixels = SegmentationLoss(
            1 + lanes,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            class_weights=[background_weight, *[1.0] * lanes],
        )

    def forward(self, logits: Tensor, target: Tensor, existence: Tensor | None = None) -> Tensor:
        self._check(logits, target, existence)
        logits = resized(precise(logits), target.shape[-2:])
        loss: Tensor = self.pixels(logits, target)
        if existence is not None and self.existence_weight:
            loss = loss + self.existence_weight * self._existence(precise(existence), target)
        if self.iou_weight:
            loss = loss + self.iou_weight * (1 - self._iou(logits, target))
        return loss

    def extra_repr(self) -> str:
        return f"{self.lanes}, existence_weight={self.existence_weight}, iou_weight={self.iou_weight}"

    def _existence(self, logits: Tensor, target: Tensor) -> Tensor:
        occurs = present_lanes(target, self.lanes).to(logits.dtype)
        entropy = F.binary_cross_entropy_with_logits(logits, occurs, reduction="none").mean(dim=1)
        # An image that nobody labelled does not say that it has no lanes.
        return masked_mean(entropy, self._labelled(target).flatten(1).any(dim=1))

    def _iou(self, logits: Tensor, target: Tensor) -> Tensor:
        labelled = self._labelled(target)
        probability = logits.softmax(dim=1)
        if target.is_floating_point():
            lane = target[:, 1:]
            overlap = (probability[:, 1:] * lane).sum()
        else:
            lane = labelled & (target > 0)
            own = probability.gather(1, torch.where(lane, target, 0)[:, None])[:, 0]
            overlap = (own * lane).sum()
        predicted = (probability[:, 1:].sum(dim=1) * labelled).sum()
        return (overlap + 1) / (predicted + lane.sum() - overlap + 1)

    def _labelled(self, target: Tensor) -> Tensor:
        return target.sum(dim=1) > 0 if target.is_floating_point() else target != self.ignore_index

    def _check(self, logits: Tensor, target: Tensor, existence: Tensor | None) -> None:
        fits = (
            target.dim() == 4 and target.shape[1] == 1 + self.lanes if target.is_floating_point() else target.dim() == 3
        )
        if logits.dim() != 4 or logits.shape[1] != 1 + self.lanes or not fits or len(logits) != len(target):
            raise UsageError(
                f"expected logits (N, {1 + self.lanes}, h, w) and labels (N, H, W) for {self.lanes} lanes, "
                f"got {tuple(logits.shape)} and {tuple(target.shape)}: build the network with one class more than lanes"
            )
        if existence is not None and existence.shape != (len(target), self.lanes):
            raise UsageError(
                f"expected existence logits {(len(target), self.lanes)}, got {tuple(existence.shape)}: "
                "one for each lane, none for the background"
            )


def present_lanes(target: Tensor, lanes: int) -> Tensor:
    """Which lanes occur in a mask of ids; in one of probabilities, how probable each is where it is most so.

    Shape:
        target: (N, H, W); returns (N, L) bool. Or (N, 1 + L, H, W); returns (N, L) probabilities.

    Example:
        >>> present_lanes(torch.tensor([[[0, 2, 2]], [[1, 255, 2]]]), 2)
        tensor([[False,  True],
                [ True,  True]])
    """
    if target.is_floating_point():
        return target[:, 1:].flatten(2).amax(dim=2)
    ids = torch.arange(1, lanes + 1, device=target.device)
    return (target.flatten(1)[:, None] == ids[:, None]).any(dim=2)
