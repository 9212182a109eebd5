"""Relational distillation (RKD): distances and angles between the images of a batch are those of the teacher.

Legend: N images, D numbers of one image's embedding.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_same_images
from pupil.functional.distances import distances
from pupil.functional.gathering import gathered
from pupil.functional.pooling import image_vectors
from pupil.functional.row_chunks import sum_over_rows
from pupil.paper import Paper


def rkd_loss(
    student: Tensor, teacher: Tensor, *, distance: float = 1.0, angle: float = 2.0, gather: bool = False
) -> Tensor:
    """Compare the distances of all pairs and the angles of all triples of images.

    d_ij = ||f_i - f_j|| / its mean over the pairs above zero;
    a_ijk = cos of the angle at f_j between f_i and f_k, 0 where one of them is f_j;
    L = distance / N² sum over i, j of huber(d_ij(student) - d_ij(teacher))
        + angle / N³ sum over i, j, k of huber(a_ijk(student) - a_ijk(teacher)),  huber(x) = x²/2, |x| - 1/2 above 1

    One or two images have no relation that could differ: the loss is 0. The angles follow from the distances by the law
    of cosines, so that N³ numbers are made and never N³ or N² times D; beyond 256 images they are made in chunks of
    64 MiB, each of them anew for its gradient.

    Args:
        student: embedding of the student.
        teacher: embedding of the teacher; its width may differ.
        distance: weight of the distances; 0 leaves them out.
        angle: weight of the angles; 0 leaves them out.
        gather: relate the images of all processes that share a batch, not this one's alone.

    Shape:
        student, teacher: (N, D), tokens (N, L, D) or maps (N, D, H, W), the last two averaged over their positions;
        returns a scalar.

    Raises:
        UsageError: for different numbers of images, another rank, or no weight above zero.

    Reference:
        W. Park, D. Kim, Y. Lu, M. Cho, "Relational Knowledge Distillation", CVPR 2019; code lenscloth/RKD. The paper
        prints sums over pairs and triples of different images; its weights, 1 and 2 (25 and 50 in classification),
        belong to the code's means over all N² and N³, which are the default here. The code takes distances from
        squared norms, with a floor of 1e-6; this one keeps near images apart, and gives equal ones no gradient. No
        golden values exist: the tests compare with the definition written out as loops.

    Example:
        >>> embedding = torch.randn(6, 16)
        >>> rkd_loss(3 * embedding, embedding) < 1e-6
        tensor(True)
    """
    check_same_images(student, teacher)
    _check(distance, angle)
    ours, theirs = (_relative_distances(each, gather) for each in (student, teacher.detach()))
    loss = ours.new_zeros(())
    if distance:
        loss = loss + distance * F.smooth_l1_loss(ours, theirs)
    if angle:
        term = partial(_angle_term, ours=ours.square(), theirs=theirs.square())
        loss = loss + angle * sum_over_rows(term, ours, theirs, elements_per_row=ours.numel()) / len(ours) ** 3
    return loss


class RKDLoss(nn.Module):
    """Relational distillation as a module: :func:`rkd_loss` with its settings stored.

    Args:
        distance: weight of the distances; 0 leaves them out.
        angle: weight of the angles; 0 leaves them out.
        gather: relate the images of all processes that share a batch, not each process's alone.

    Shape:
        student, teacher: (N, D), (N, L, D) or (N, D, H, W); returns a scalar.

    Reference:
        See :func:`rkd_loss` and the attribute ``paper``.

    Example:
        >>> RKDLoss()(torch.randn(4, 8), torch.randn(4, 16)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Relational Knowledge Distillation",
        authors="W. Park, D. Kim, Y. Lu, M. Cho",
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1904.05068",
        code="lenscloth/RKD",
    )

    def __init__(self, *, distance: float = 1.0, angle: float = 2.0, gather: bool = True) -> None:
        super().__init__()
        _check(distance, angle)
        self.distance, self.angle, self.gather = distance, angle, gather

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return rkd_loss(student, teacher, distance=self.distance, angle=self.angle, gather=self.gather)

    def extra_repr(self) -> str:
        return f"distance={self.distance}, angle={self.angle}"


def _relative_distances(feature: Tensor, gather: bool) -> Tensor:
    rows = image_vectors(feature)
    found = distances(gathered(rows) if gather else rows)
    mean = found.sum() / (found > 0).sum().clamp(min=1)
    return found / mean.clamp_min(torch.finfo(found.dtype).tiny)


def _angle_term(our_edges: Tensor, their_edges: Tensor, *, ours: Tensor, theirs: Tensor) -> Tensor:
    return F.smooth_l1_loss(_cosines(our_edges, ours), _cosines(their_edges, theirs), reduction="sum")


def _cosines(edges: Tensor, squares: Tensor) -> Tensor:
    """The cosine at each of V vertices between every two images, (V, N, N).

    Args:
        edges: (V, N) distances from these vertices to all images.
        squares: (N, N) squared distances between all images.
    """
    # The inverse of infinity is 0, and so is its gradient: an image that lies on the vertex has no direction.
    inverse = edges.masked_fill(edges == 0, torch.inf).reciprocal()
    own = edges.square()
    twice = (own.unsqueeze(2) + own.unsqueeze(1) - squares) * inverse.unsqueeze(2) * inverse.unsqueeze(1)
    # A short edge enlarges the rounding of the long ones.
    return (twice / 2).clamp(-1, 1)


def _check(distance: float, angle: float) -> None:
    if min(distance, angle) < 0 or max(distance, angle) == 0:
        raise UsageError(
            f"expected a weight of distances or angles above zero, got {distance} and {angle}: 1 and 2 in the paper"
        )
