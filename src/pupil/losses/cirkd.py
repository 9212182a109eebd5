"""Cross-image relational distillation (CIRKD): pixels relate to pixels of other images as in the teacher.

Legend: N images, C channels, H x W positions, Q vectors of a memory.
"""

from __future__ import annotations

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_same_grid, check_temperature
from pupil.functional.kl import kl_divergence
from pupil.functional.precision import precise, without_autocast
from pupil.functional.row_chunks import sum_over_rows
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper


def cirkd_loss(student: Tensor, teacher: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Compare how each pixel of the batch resembles the pixels of each of its images (mini-batch pixel-to-pixel).

    p(i, x, j) = softmax over the positions y of image j of cos(f(i, x), f(j, y)) / temperature;
    L = mean over images i, positions x and images j, i = j included, of KL(p(teacher) || p(student)).
    The (N H W, N H W) similarities are computed, and recomputed for the gradient, a chunk of rows at a time.

    Args:
        student: feature of the student.
        teacher: feature of the teacher; its channels may differ.
        temperature: sharpens the distributions; its square is not multiplied back, as in the authors' code.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); returns a scalar.

    Raises:
        UsageError: for maps on different grids, or a temperature that is not positive.

    Reference:
        C. Yang et al., "Cross-Image Relational Knowledge Distillation for Semantic Segmentation", CVPR 2022; code
        winycg/CIRKD, whose releases differ in the pooling before it (none, 2 x 2, or 4 x 4 on large maps): pool the
        features in the term's inputs where the map is large.

    Example:
        >>> import torch
        >>> feature = torch.randn(2, 8, 6, 6)
        >>> bool(cirkd_loss(3 * feature, feature) < 1e-6)
        True
    """
    check_same_grid(student, teacher)
    check_temperature(temperature)
    images = len(student)
    with without_autocast(student):
        ours, theirs = _pixels(student), _pixels(teacher.detach())

        def divergence(student_rows: Tensor, teacher_rows: Tensor) -> Tensor:
            similarities = student_rows @ ours.mT, teacher_rows @ theirs.mT
            by_image = (each.reshape(len(each), images, -1) for each in similarities)
            return kl_divergence(*by_image, dim=2, temperature=temperature).sum()

        return sum_over_rows(divergence, ours, theirs, elements_per_row=len(ours)) / (images * len(ours))


def cirkd_memory_loss(student: Tensor, teacher: Tensor, memory: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Compare how each pixel resembles the vectors of a memory of the teacher's features.

    p(x) = softmax over q of <f(x) / ||f(x)||, m(q)> / temperature;
    L = mean over images and positions of KL(p(teacher) || p(student)).

    Args:
        student: feature of the student, projected to the memory's channels.
        teacher: feature of the teacher.
        memory: vectors of length one, sampled from the queues; they receive no gradient.
        temperature: sharpens the distributions.

    Shape:
        student, teacher: (N, C, H, W); memory: (Q, C); returns a scalar.

    Raises:
        UsageError: for maps on different grids, other channels than the memory's, or a temperature that is not
            positive.

    Reference:
        As :func:`cirkd_loss`. This is the formula alone. The authors' projection head belongs in front of it, their
        queues beside it; they average over labelled pixels, and their pixel queue holds pixels of other classes by a
        mistake in the indexing, while the region queue is right.

    Example:
        >>> import torch
        >>> feature, memory = torch.randn(2, 8, 6, 6), torch.eye(8)
        >>> bool(cirkd_memory_loss(3 * feature, feature, memory) < 1e-6)
        True
    """
    check_same_grid(student, teacher)
    check_temperature(temperature)
    if not student.shape[1] == teacher.shape[1] == memory.shape[-1]:
        raise UsageError(
            f"expected features of the memory's {memory.shape[-1]} channels, got student {tuple(student.shape)} and "
            f"teacher {tuple(teacher.shape)}: project the student first"
        )
    with without_autocast(student):
        ours, theirs = _pixels(student), _pixels(teacher.detach())
        vectors = memory.detach().to(ours.dtype).mT

        def divergence(student_rows: Tensor, teacher_rows: Tensor) -> Tensor:
            similarities = student_rows @ vectors, teacher_rows @ vectors
            return kl_divergence(*similarities, dim=1, temperature=temperature).sum()

        return sum_over_rows(divergence, ours, theirs, elements_per_row=len(memory)) / len(ours)


def _pixels(feature: Tensor) -> Tensor:
    """All pixels of the batch as unit vectors (N H W, C)."""
    return unit_vectors(precise(feature)).movedim(1, -1).flatten(0, 2)


class CIRKDLoss(nn.Module):
    """Mini-batch pixel-to-pixel distillation as a module: :func:`cirkd_loss` with its settings stored.

    Args:
        temperature: sharpens the distributions.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); returns a scalar.

    Reference:
        See :func:`cirkd_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> CIRKDLoss()(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Cross-Image Relational Knowledge Distillation for Semantic Segmentation",
        authors="C. Yang, H. Zhou, Z. An, X. Jiang, Y. Xu, Q. Zhang",
        venue="CVPR",
        year=2022,
        url="https://arxiv.org/abs/2204.06986",
        code="winycg/CIRKD",
    )

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return cirkd_loss(student, teacher, temperature=self.temperature)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}"
