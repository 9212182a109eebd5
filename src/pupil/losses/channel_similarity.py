"""Channel similarity: which channels fire together, compared between teacher and student.

Legend: N images, C channels (classes, for logits), X positions.
"""

from __future__ import annotations

from torch import Tensor, nn

from pupil.functional.checks import check_channels, check_same_shape
from pupil.functional.precision import precise, without_autocast
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper


def channel_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Match the Gram matrices of the channels, every row scaled to unit length.

    L = 1 / (N C) sum over images, i, j of (S_ij - T_ij)²,  S, T = Z Zᵀ with unit rows,  Z the flattened map (C, X)

    Args:
        student: features or logits.
        teacher: the same shape; they get no gradient.

    Shape:
        student, teacher: (N, C, H, W) or any positions; returns a scalar.

    Raises:
        UsageError: for different shapes or a single channel.

    Reference:
        L. Liu et al., "Exploring Inter-Channel Correlation for Diversity-preserved Knowledge Distillation", ICCV 2021,
        code ADLab-AutoDrive/ICKD, with the same normalisation. ICKD first brings the student to the teacher's channels
        (1x1 convolution and BatchNorm); put such an adapter before this loss. AmirMansurian/AICSD computes the same
        term on logits, as ``ic_lambda``, but never adds it to its total.

    Example:
        >>> import torch
        >>> student = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> channel_similarity_loss(student, torch.ones(1, 2, 2))
        tensor(0.5858)
    """
    check_same_shape(student, teacher, channels_fix="bring the student to the teacher's channels by an adapter")
    check_channels(student, at_least=2, because="a single channel has no other to resemble")
    difference = _unit_gram(precise(student)) - _unit_gram(precise(teacher.detach()))
    return difference.square().sum(2).mean()


class ChannelSimilarityLoss(nn.Module):
    """Matching Gram matrices of the channels, see :func:`channel_similarity_loss`.

    Shape:
        student, teacher: (N, C, H, W); returns a scalar.

    Example:
        >>> import torch
        >>> ChannelSimilarityLoss()(torch.ones(1, 2, 4, 4), torch.ones(1, 2, 4, 4))
        tensor(0.)
    """

    paper = Paper(
        title="Exploring Inter-Channel Correlation for Diversity-preserved Knowledge Distillation",
        authors="L. Liu et al.",
        venue="ICCV",
        year=2021,
        url="https://arxiv.org/abs/2202.03680",
        code="ADLab-AutoDrive/ICKD",
    )

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return channel_similarity_loss(student, teacher)


def _unit_gram(maps: Tensor) -> Tensor:
    """(N, C, C): the products of all channels of an image, every row of unit length."""
    channels = maps.flatten(2)
    with without_autocast(maps):
        return unit_vectors(channels @ channels.mT, dim=2)
