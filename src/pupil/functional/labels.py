"""Labels as probabilities of the classes, and the cross-entropy to any such probabilities.

Legend: N images, K classes, and any positions `...` after them (none, L, H x W).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.precision import precise

IGNORED = -100  # what torch's own cross-entropy passes over


def label_probabilities(target: Tensor, logits: Tensor, ignore_index: int = IGNORED) -> tuple[Tensor, Tensor]:
    """The probability of each class as the labels have it, and where there is a label at all.

    Args:
        target: class ids; or probabilities, as mixed images have them, all zeros where there is no label.
        logits: what the probabilities are to be compared with: they tell how many classes there are.
        ignore_index: id without meaning.

    Shape:
        target: (N, ...) int64 or (N, K, ...); logits: (N, K, ...); returns (N, K, ...) in float32 or better, and
        (N, ...) bool.

    Raises:
        UsageError: for targets that are neither ids nor probabilities of these logits' shape.

    Example:
        >>> label_probabilities(torch.tensor([1, -100]), torch.zeros(2, 2))
        (tensor([[0., 1.],
                [0., 0.]]), tensor([ True, False]))
    """
    shape = torch.Size([*logits.shape[:1], *logits.shape[2:]])
    if target.is_floating_point() and target.shape == logits.shape:
        probabilities = precise(target.detach())
        return probabilities, probabilities.sum(dim=1) > 0
    if target.is_floating_point() or target.shape != shape:
        raise UsageError(
            f"expected targets as ids {tuple(shape)} or probabilities {tuple(logits.shape)}, got {target.dtype} of "
            f"{tuple(target.shape)}: resize the logits to the labels"
        )
    labelled = target != ignore_index
    ids = torch.where(labelled, target, 0).unsqueeze(1)
    zeros = torch.zeros_like(logits, dtype=torch.promote_types(logits.dtype, torch.float32))
    return zeros.scatter_(1, ids, labelled.unsqueeze(1).to(zeros.dtype)), labelled


def soft_cross_entropy(logits: Tensor, probabilities: Tensor) -> Tensor:
    """- sum over classes of probability log softmax(logits), at every position, in float32 or better.

    Shape:
        logits, probabilities: (N, K, ...); returns (N, ...).

    Example:
        >>> soft_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]))
        tensor([0.6931])
    """
    return -(probabilities * F.log_softmax(precise(logits), dim=1)).sum(dim=1)
