"""Attention transfer for detectors: the mean over positions and the mean over channels follow the teacher's.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.attention_masks import Variant, channel_attention, spatial_attention
from pupil.functional.checks import check_choice, check_same_grid
from pupil.functional.norms import Reduction, weighted_norm
from pupil.functional.precision import precise
from pupil.losses.attention_guided import AttentionGuidedLoss


def attention_transfer_loss(
    student: Tensor,
    teacher: Tensor,
    importance: Tensor | None = None,
    *,
    channel_adapter: Callable[[Tensor], Tensor] | None = None,
    spatial_adapter: Callable[[Tensor], Tensor] | None = None,
    channel_weight: float = 1.0,
    spatial_weight: float = 1.0,
    variant: Variant = "code",
    reduction: Reduction = "image_mean",
) -> Tensor:
    """The norms of the differences of two summaries of a feature: one number a channel, one number a position.

    L = mean over images of importance (||channels(teacher) - adapt(channels(student))||
                                        + ||positions(teacher) - adapt(positions(student))||)

    "code":  channels and positions are means of f itself, of either sign;
    "paper": means of |f|, the attention, without adapters.

    Args:
        student: feature of the student.
        teacher: feature of the teacher; it gets no gradient.
        importance: (N,) or a scalar, how much an image counts; None counts each fully.
        channel_adapter: what the student's (N, C') means of channels go through; None leaves them.
        spatial_adapter: what the student's (N, 1, H, W) means of positions go through; None leaves them.
        channel_weight: factor of the first norm.
        spatial_weight: factor of the second norm.
        variant: "code" or "paper", as above.
        reduction: "image_mean", as above, or "batch_norm": one norm over the whole batch times one importance.

    Shape:
        student: (N, C', H, W); teacher: (N, C, H, W); returns a scalar.

    Raises:
        UsageError: for maps on different grids, other channels than the teacher's, unknown settings, or an importance
            that does not fit.

    Reference:
        L. Zhang, K. Ma, "Improve Object Detection with Feature-based Knowledge Distillation", ICLR 2021, L_AT. The
        paper compares the attention maps themselves; the code lanqz7766/AID, with "batch_norm", compares signed means
        through adapters. The default is the code, to which the published weights belong and which bridges unequal
        channels. Attention transfer of classifiers is another loss, :func:`pupil.losses.attention_loss`: it compares
        positions alone, after each map is divided by its norm.

    Example:
        >>> import torch
        >>> attention_transfer_loss(torch.zeros(2, 4, 3, 3), torch.ones(2, 4, 3, 3))
        tensor(5.)
    """
    check_same_grid(student, teacher)
    check_choice("variant", variant, get_args(Variant))
    student, teacher = precise(student), precise(teacher.detach())
    if variant == "paper":
        channels, positions = (
            [summary(feature) for feature in (student, teacher)] for summary in (channel_attention, spatial_attention)
        )
    else:
        channels, positions = ([feature.mean(axes) for feature in (student, teacher)] for axes in ((2, 3), 1))
    ours, theirs = channels
    if channel_adapter is not None:
        ours = precise(channel_adapter(ours))
    if ours.shape != theirs.shape:
        raise UsageError(
            f"expected one number of channels, got {ours.shape[1]} and {theirs.shape[1]}: "
            'use AttentionTransferLoss, which owns an adapter, with variant="code"'
        )
    loss = channel_weight * weighted_norm(theirs - ours, importance, reduction=reduction)
    ours, theirs = (each.unsqueeze(1) for each in positions)
    if spatial_adapter is not None:
        ours = precise(spatial_adapter(ours))
    return loss + spatial_weight * weighted_norm(theirs - ours, importance, reduction=reduction)


class AttentionTransferLoss(nn.Module):
    """Attention transfer with its adapters: :func:`attention_transfer_loss`, a linear layer and a 3x3 convolution.

    Args:
        student_channels: channels of the student's feature.
        teacher_channels: channels of the teacher's feature; "paper" needs the student's.
        channel_weight: factor of the norm over channels.
        spatial_weight: factor of the norm over positions.
        variant: "code", with adapters trained beside the student, or "paper", without.
        reduction: "image_mean" or "batch_norm".

    Shape:
        student: (N, student_channels, H, W); teacher: (N, teacher_channels, H, W); importance: (N,), a scalar or
        None; returns a scalar.

    Example:
        >>> import torch
        >>> AttentionTransferLoss(8, 16)(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = AttentionGuidedLoss.paper

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        *,
        channel_weight: float = 1.0,
        spatial_weight: float = 1.0,
        variant: Variant = "code",
        reduction: Reduction = "image_mean",
    ) -> None:
        super().__init__()
        check_choice("variant", variant, get_args(Variant))
        check_choice("reduction", reduction, get_args(Reduction))
        if variant == "paper" and student_channels != teacher_channels:
            raise UsageError(
                f'expected equal channels for variant="paper", got {student_channels} and {teacher_channels}: '
                'take variant="code", which adapts them'
            )
        self.channel_weight, self.spatial_weight = channel_weight, spatial_weight
        self.variant: Variant = variant
        self.reduction: Reduction = reduction
        self.channel_adapter = nn.Linear(student_channels, teacher_channels) if variant == "code" else None
        self.spatial_adapter = nn.Conv2d(1, 1, 3, padding=1) if variant == "code" else None

    def forward(self, student: Tensor, teacher: Tensor, importance: Tensor | None = None) -> Tensor:
        return attention_transfer_loss(
            student,
            teacher,
            importance,
            channel_adapter=self.channel_adapter,
            spatial_adapter=self.spatial_adapter,
            channel_weight=self.channel_weight,
            spatial_weight=self.spatial_weight,
            variant=self.variant,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        return f"channel_weight={self.channel_weight}, spatial_weight={self.spatial_weight}, variant={self.variant!r}"
