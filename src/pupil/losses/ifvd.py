"""Intra-class feature variation distillation (IFVD): pixels lie around their class centre as in the teacher.

Legend: N images, C channels, H x W positions, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_same_grid
from pupil.functional.precision import precise, without_autocast
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper


def ifvd_loss(student: Tensor, teacher: Tensor, target: Tensor, *, classes: int) -> Tensor:
    """Compare how near each pixel is to the centre of its own class in the same image.

    v(p) = cos(f(p), c(k)),  c(k) = mean of f over the pixels of class k in the image, k the class of p;
    L = mean over images and positions of (v(p; student) - v(p; teacher))².
    Pixels of no class (255, -1, ...) add 0, but count in the mean. The gradient flows through the centres as well.

    Args:
        student: feature of the student.
        teacher: feature of the teacher; its channels may differ.
        target: class ids, resized to the grid by nearest neighbour.
        classes: number of classes K; an id outside 0 ... K - 1 is no class.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); target: (N, H', W') int64; returns a scalar.

    Raises:
        UsageError: for maps on different grids, or a target of another rank or batch.

    Reference:
        Y. Wang et al., "Intra-class Feature Variation Distillation for Semantic Segmentation", ECCV 2020; code
        YukangWang/IFVD, which loops over the classes with one full-size map for each. Its count of a class has 1e-6
        added and its neighbour is the upper left one; both are kept.

    Example:
        >>> import torch
        >>> feature, target = torch.randn(2, 8, 6, 6), torch.randint(0, 3, (2, 24, 24))
        >>> bool(ifvd_loss(3 * feature, feature, target, classes=3) < 1e-6)
        True
    """
    check_same_grid(student, teacher)
    if target.dim() != 3 or len(target) != len(student):
        raise UsageError(
            f"expected a target (N, H, W) for {len(student)} images, got {tuple(target.shape)}: pass class ids"
        )
    # Nearest neighbour through float32 is exact for class ids, which stay far below 2^24.
    labels = F.interpolate(target[:, None].float(), size=student.shape[2:], mode="nearest").flatten(1)
    members = labels[..., None] == torch.arange(classes, device=labels.device)
    with without_autocast(student):
        return (_variation(student, members) - _variation(teacher.detach(), members)).square().mean()


def _variation(feature: Tensor, members: Tensor) -> Tensor:
    """Cosine of each pixel and the centre of its class, 0 for a pixel of no class: (N, H W).

    Args:
        feature: (N, C, H, W).
        members: (N, H W, K) bool, which pixel belongs to which class.
    """
    pixels = precise(feature).flatten(2)
    weights = members.to(pixels.dtype)
    centres = pixels @ weights / (weights.sum(1, keepdim=True) + 1e-6)
    cosines = unit_vectors(pixels).mT @ unit_vectors(centres)
    return (cosines * weights).sum(2)


class IFVDLoss(nn.Module):
    """Intra-class feature variation distillation as a module: :func:`ifvd_loss` with its settings stored.

    Args:
        classes: number of classes K.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); target: (N, H', W') int64; returns a scalar.

    Reference:
        See :func:`ifvd_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> features = torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)
        >>> IFVDLoss(classes=3)(*features, torch.randint(0, 3, (2, 24, 24))).shape
        torch.Size([])
    """

    paper = Paper(
        title="Intra-class Feature Variation Distillation for Semantic Segmentation",
        authors="Y. Wang, W. Zhou, T. Jiang, X. Bai, Y. Xu",
        venue="ECCV",
        year=2020,
        url="https://www.ecva.net/papers/eccv_2020/papers_ECCV/html/230_ECCV_2020_paper.php",
        code="YukangWang/IFVD",
    )

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        return ifvd_loss(student, teacher, target, classes=self.classes)

    def extra_repr(self) -> str:
        return f"classes={self.classes}"
