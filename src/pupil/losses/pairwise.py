"""Pair-wise distillation (StructKD): the student's positions relate to each other as the teacher's do.

Legend: N images, C channels, H x W positions, M nodes (pooled positions).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional import precision
from pupil.functional.affinity import affinity_distance
from pupil.functional.checks import check_choice, check_same_grid
from pupil.functional.row_chunks import sum_over_rows
from pupil.functional.unit_vectors import SHORTEST, unit_vectors
from pupil.paper import Paper

Pool = Literal["average", "max"]
Affinity = Literal["cosine", "softmax", "sigmoid"]


def pairwise_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    pool: Pool = "average",
    patch: float = 2,
    affinity: Affinity = "cosine",
    norm_gradient: bool = True,
    precise: bool = False,
) -> Tensor:
    """Compare the cosine similarity of every pair of nodes in the student with the same pair in the teacher.

    L = mean over images and node pairs (i, j) of (a_ij(student) - a_ij(teacher))²,  a_ij = cos(f_i, f_j),
    where f_i is the mean feature of a patch. The (M, M) matrices are built only where that is cheaper than the
    C x C products that give the same sum, see :func:`pupil.functional.affinity.affinity_distance`.

    Args:
        student: feature of the student.
        teacher: feature of the teacher; its channels may differ, no adapter is needed.
        pool: how the positions of a patch become a node.
        patch: side of a patch in positions; below 1, its share of the map's height and width. 1 pools nothing.
        affinity: "softmax" over each row of the cosine matrix, "sigmoid" of its elements, or the "cosine" itself.
            The first two need the matrix: its rows are then computed, and recomputed, in chunks.
        norm_gradient: False takes the norm of a feature for a constant, as the authors' code does.
        precise: compute in float64, at about twice the time. Float32 keeps the value within 1e-7 and, while it is
            above 1e-8, the gradient within 1e-3; where student and teacher agree more closely than that, or where
            TF32 products are allowed, float64 keeps both. A student that agrees channel by channel, as a copy of
            its teacher does, does not need it.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); returns a scalar.

    Raises:
        UsageError: for maps on different grids, an unknown pool or affinity, or a patch that is none.

    Reference:
        Y. Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019, and its journal
        version (TPAMI 2020); code irfanICMLL/structure_knowledge_distillation. The default is the paper with its best
        graph: 2 x 2 patches, averaged, fully connected. The released codes differ from it and from each other:

        - journal code: ``pool="max", patch=0.5, norm_gradient=False``; its patch is a share of the map, so that
          2 x 2 or 3 x 3 nodes remain, and it adds 1e-8 to the norms;
        - conference code: ``patch=1``, with any affinity; NaN for a zero vector, where this loss has affinity 0;
        - CIRKD's re-implementation ("skd"): ``pool="max"``.

        All of them divide by N M². The paper's limited connection range exists in no released code.

    Example:
        >>> import torch
        >>> feature = torch.randn(2, 8, 6, 6)
        >>> bool(pairwise_loss(3 * feature, feature) < 1e-12)
        True
    """
    check_same_grid(student, teacher)
    _check(pool, patch, affinity)
    unit = unit_vectors if norm_gradient else _units_of_constant_norm
    working = torch.float64 if precise else precision.precise(student).dtype
    with precision.without_autocast(student):
        ours = unit(_nodes(student, pool, patch, working), dtype=working)
        theirs = unit(_nodes(teacher.detach(), pool, patch, working), dtype=working)
        loss = _distance(ours, theirs, affinity) / (len(ours) * ours.shape[2] ** 2)
    return loss.to(precision.precise(student).dtype)


class PairwiseLoss(nn.Module):
    """Pair-wise distillation as a module: :func:`pairwise_loss` with its settings stored.

    Args:
        pool: how the positions of a patch become a node, "average" or "max".
        patch: side of a patch in positions; below 1, its share of the map's height and width.
        affinity: "cosine", "softmax" or "sigmoid".
        norm_gradient: False takes the norm of a feature for a constant.
        precise: compute in float64.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); returns a scalar.

    Reference:
        See :func:`pairwise_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> PairwiseLoss()(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Structured Knowledge Distillation for Semantic Segmentation",
        authors="Y. Liu, K. Chen, C. Liu, Z. Qin, Z. Luo, J. Wang",
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1903.04197",
        code="irfanICMLL/structure_knowledge_distillation",
    )

    def __init__(
        self,
        *,
        pool: Pool = "average",
        patch: float = 2,
        affinity: Affinity = "cosine",
        norm_gradient: bool = True,
        precise: bool = False,
    ) -> None:
        super().__init__()
        _check(pool, patch, affinity)
        self.pool: Pool = pool
        self.patch = patch
        self.affinity: Affinity = affinity
        self.norm_gradient = norm_gradient
        self.precise = precise

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return pairwise_loss(
            student,
            teacher,
            pool=self.pool,
            patch=self.patch,
            affinity=self.affinity,
            norm_gradient=self.norm_gradient,
            precise=self.precise,
        )

    def extra_repr(self) -> str:
        return (
            f"pool={self.pool!r}, patch={self.patch}, affinity={self.affinity!r}, "
            f"norm_gradient={self.norm_gradient}, precise={self.precise}"
        )


def _check(pool: Pool, patch: float, affinity: Affinity) -> None:
    check_choice("pool", pool, get_args(Pool))
    check_choice("affinity", affinity, get_args(Affinity))
    if patch <= 0 or (patch > 1 and patch % 1):
        raise UsageError(
            f"expected a patch of some positions or a share of the map below 1, got {patch}: pass 1, 2, ... or 0.5"
        )


def _nodes(feature: Tensor, pool: Pool, patch: float, working: torch.dtype) -> Tensor:
    """The map's patches as (N, C, M); a patch that reaches over the edge counts what lies inside."""
    height, width = (max(1, int(side * patch)) if patch < 1 else int(patch) for side in feature.shape[2:])
    if (height, width) == (1, 1):
        return feature.flatten(2)
    pooling = F.avg_pool2d if pool == "average" else F.max_pool2d
    pooled: Tensor = pooling(feature.to(working), (height, width), ceil_mode=True)
    return pooled.flatten(2)


def _units_of_constant_norm(nodes: Tensor, *, dtype: torch.dtype) -> Tensor:
    nodes = nodes.to(dtype)
    norm = nodes.detach().square().sum(1, keepdim=True).sqrt()
    # A zero vector stays zero either way; here its gradient, divided by 1e-8 in the authors' code, is zero as well.
    return nodes * torch.where(norm > SHORTEST, (norm + 1e-8).reciprocal(), 0.0)


def _distance(student: Tensor, teacher: Tensor, affinity: Affinity) -> Tensor:
    if affinity == "cosine":
        return affinity_distance(student, teacher)

    def squash(cosines: Tensor) -> Tensor:
        return cosines.softmax(-1) if affinity == "softmax" else cosines.sigmoid()

    def row_distance(student_rows: Tensor, teacher_rows: Tensor) -> Tensor:
        return (squash(student_rows @ student) - squash(teacher_rows @ teacher)).square().sum()

    return sum_over_rows(row_distance, student.mT, teacher.mT, elements_per_row=len(student) * student.shape[2])
