"""Probabilistic knowledge transfer (PKT): who is near whom in a batch, as probabilities, follows the teacher.

Legend: N images, D numbers of one image's embedding.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pupil.functional.checks import check_choice, check_same_images
from pupil.functional.gathering import gathered
from pupil.functional.pooling import image_vectors
from pupil.functional.precision import without_autocast
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper

Variant = Literal["paper", "code"]

# Below the rounding of a cosine in float32; the authors' code adds the same to both probabilities.
LEAST = 1e-7


def pkt_loss(student: Tensor, teacher: Tensor, *, variant: Variant = "paper", gather: bool = False) -> Tensor:
    """Compare, image by image, how probable each other image of the batch is as its neighbour.

    p_ij = k_ij / sum over j of k_ij,  k_ij = (1 + cos(f_i, f_j)) / 2;
    L = mean over i of the sum over j of p_ij(teacher) log(p_ij(teacher) / p_ij(student))

    Args:
        student: embedding of the student.
        teacher: embedding of the teacher; its width may differ.
        variant: "paper" leaves an image out of its own neighbours, so that two images have nothing to compare; "code"
            counts it in, and divides the loss by N once more.
        gather: relate the images of all processes that share a batch, not this one's alone.

    Shape:
        student, teacher: (N, D), tokens (N, L, D) or maps (N, D, H, W), the last two averaged over their positions;
        returns a scalar.

    Raises:
        UsageError: for different numbers of images, another rank, or an unknown variant.

    Reference:
        N. Passalis and A. Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018,
        with the cosine kernel; code passalis/probabilistic_kt. The paper sums over the images where this takes their
        mean. The code differs as said above, and adds 1e-7 to both probabilities inside the logarithm; "paper" keeps
        them above 1e-7 there. No golden values exist: the tests compare with both written out as loops.

    Example:
        >>> embedding = torch.randn(6, 16)
        >>> pkt_loss(3 * embedding, embedding) < 1e-6
        tensor(True)
    """
    check_choice("variant", variant, get_args(Variant))
    check_same_images(student, teacher)
    with without_autocast(student):
        ours, theirs = (_neighbours(each, variant, gather) for each in (student, teacher.detach()))
    if variant == "code":
        return (theirs * ((theirs + LEAST) / (ours + LEAST)).log()).mean()
    return (theirs * (theirs.clamp_min(LEAST).log() - ours.clamp_min(LEAST).log())).sum(1).mean()


class PKTLoss(nn.Module):
    """Probabilistic knowledge transfer as a module: :func:`pkt_loss` with its settings stored.

    Args:
        variant: "paper" or "code".
        gather: relate the images of all processes that share a batch, not each process's alone.

    Shape:
        student, teacher: (N, D), (N, L, D) or (N, D, H, W); returns a scalar.

    Reference:
        See :func:`pkt_loss` and the attribute ``paper``.

    Example:
        >>> PKTLoss()(torch.randn(4, 8), torch.randn(4, 16)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Learning Deep Representations with Probabilistic Knowledge Transfer",
        authors="N. Passalis, A. Tefas",
        venue="ECCV",
        year=2018,
        url="https://arxiv.org/abs/1803.10837",
        code="passalis/probabilistic_kt",
    )

    def __init__(self, *, variant: Variant = "paper", gather: bool = True) -> None:
        super().__init__()
        check_choice("variant", variant, get_args(Variant))
        self.variant: Variant = variant
        self.gather = gather

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return pkt_loss(student, teacher, variant=self.variant, gather=self.gather)

    def extra_repr(self) -> str:
        return f"variant={self.variant!r}"


def _neighbours(feature: Tensor, variant: Variant, gather: bool) -> Tensor:
    """(N, N): each row the probabilities of one image's neighbours."""
    vectors = image_vectors(feature)
    rows = unit_vectors(gathered(vectors) if gather else vectors)
    # Rounding can push a cosine below -1.
    kernel = ((1 + rows @ rows.mT) / 2).clamp_min(0)
    if variant == "paper":
        kernel = kernel - kernel.diag().diag()
    return kernel / kernel.sum(1, keepdim=True).clamp_min(torch.finfo(kernel.dtype).tiny)
