"""Similarity-preserving distillation (SP): images that are alike to the teacher are alike to the student.

Legend: N images, D numbers of one image's feature.
"""

from __future__ import annotations

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.gathering import gathered
from pupil.functional.precision import precise, without_autocast
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper


def similarity_loss(student: Tensor, teacher: Tensor, *, gather: bool = False) -> Tensor:
    """Compare the similarities between the images of a batch, whatever the shapes of the two features.

    G = Q Q^T with Q the features flattened to (N, D), each row of G divided by its Euclidean norm;
    L = ||G(student) - G(teacher)||² / N²  (Frobenius). One image alone has nothing to compare: the loss is 0.

    Args:
        student: feature of the student.
        teacher: feature of the teacher; every size but the number of images may differ.
        gather: relate the images of all processes that share a batch, not this one's alone.

    Shape:
        student: (N, ...); teacher: (N, ...); returns a scalar.

    Raises:
        UsageError: for features without a batch dimension, or different numbers of images.

    Reference:
        F. Tung and G. Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, equations 2 to 5. The authors
        released no code and no golden values exist: the tests compare with the equations written out as loops.

    Example:
        >>> import torch
        >>> feature = torch.randn(4, 8, 6, 6)
        >>> similarity_loss(3 * feature, feature) < 1e-6
        tensor(True)
    """
    if student.dim() < 2 or teacher.dim() < 2 or len(student) != len(teacher):
        raise UsageError(
            f"expected two features (N, ...) of the same images, got student {tuple(student.shape)} and teacher "
            f"{tuple(teacher.shape)}: pass the features of one batch"
        )
    with without_autocast(student):
        return (_similarities(student, gather) - _similarities(teacher.detach(), gather)).square().mean()


def _similarities(feature: Tensor, gather: bool) -> Tensor:
    rows = precise(feature).flatten(1)
    rows = gathered(rows) if gather else rows
    return unit_vectors(rows @ rows.mT)


class SimilarityLoss(nn.Module):
    """Similarity-preserving distillation as a module: :func:`similarity_loss`.

    Args:
        gather: relate the images of all processes that share a batch, not each process's alone.

    Shape:
        student: (N, ...); teacher: (N, ...); returns a scalar.

    Reference:
        See :func:`similarity_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> SimilarityLoss()(torch.randn(4, 8, 6, 6), torch.randn(4, 16, 3, 3)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Similarity-Preserving Knowledge Distillation",
        authors="F. Tung, G. Mori",
        venue="ICCV",
        year=2019,
        url="https://arxiv.org/abs/1907.09682",
    )

    def __init__(self, *, gather: bool = True) -> None:
        super().__init__()
        self.gather = gather

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return similarity_loss(student, teacher, gather=self.gather)
