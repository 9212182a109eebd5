"""Self-supervised label augmentation (SLA): every image in four rotations, each rotation of a class a class of its own.

Legend: N images, K classes, C channels, H x W positions.

Reference:
    H. Lee, S. J. Hwang, J. Shin, "Self-supervised Label Augmentation via Input Transformations", ICML 2020; the order
    of rows and columns is that of MingiJi/FRSKD, which trains on both networks' joint logits beside its own losses.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.precision import precise

ROTATIONS = 4


def rotated(image: Tensor) -> Tensor:
    """Each image by 0, 90, 180 and 270 degrees: (N, C, H, H) to (4 N, C, H, H), the rotations of an image together.

    Raises:
        UsageError: for images that are not square.

    Example:
        >>> rotated(torch.tensor([[[[1, 2], [3, 4]]]])).flatten(1).tolist()
        [[1, 2, 3, 4], [2, 4, 1, 3], [4, 3, 2, 1], [3, 1, 4, 2]]
    """
    if image.dim() != 4 or image.shape[2] != image.shape[3]:
        raise UsageError(f"expected square images (N, C, H, H), got {tuple(image.shape)}: crop them to squares")
    return torch.stack([torch.rot90(image, turns, (2, 3)) for turns in range(ROTATIONS)], dim=1).flatten(0, 1)


def joint_target(target: Tensor) -> Tensor:
    """The joint class of each rotation, 4 class + rotation: (N,) to (4 N,).

    Example:
        >>> joint_target(torch.tensor([0, 2])).tolist()
        [0, 1, 2, 3, 8, 9, 10, 11]
    """
    return (ROTATIONS * target[:, None] + torch.arange(ROTATIONS, device=target.device)).flatten()


def joint_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of joint logits (4 N, 4 K), one row a rotation, with the joint classes of a target (N,)."""
    _check(logits)
    return F.cross_entropy(precise(logits), joint_target(target))


def aggregated_logits(logits: Tensor) -> Tensor:
    """What the four rotations of an image say of its class together: joint logits (4 N, 4 K) to logits (N, K).

    logit of class c = mean over rotations r of the logit of joint class 4 c + r at rotation r

    Raises:
        UsageError: where rows or columns are not in fours.

    Example:
        >>> aggregated_logits(torch.eye(4))
        tensor([[1.]])
    """
    _check(logits)
    rows, columns = (each // ROTATIONS for each in logits.shape)
    by_rotation = logits.view(rows, ROTATIONS, columns, ROTATIONS)
    return by_rotation.diagonal(dim1=1, dim2=3).mean(-1)


def _check(logits: Tensor) -> None:
    if logits.dim() != 2 or logits.shape[0] % ROTATIONS or logits.shape[1] % ROTATIONS:
        raise UsageError(
            f"expected joint logits (4 N, 4 K), got {tuple(logits.shape)}: show all four rotations of each image"
        )
