"""Attention-guided distillation: the student's feature equals the teacher's, most of all where one of them looks.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from typing import get_args

from torch import Tensor, nn

from pupil.functional.attention_masks import Variant, attention_mask, channel_attention, spatial_attention
from pupil.functional.checks import check_choice, check_same_grid, check_same_shape, check_temperature
from pupil.functional.norms import Reduction, weighted_norm
from pupil.functional.precision import precise
from pupil.paper import Paper


def attention_guided_loss(
    student: Tensor,
    teacher: Tensor,
    importance: Tensor | None = None,
    *,
    before_adapter: Tensor | None = None,
    temperature: float = 0.1,
    channel_mask: bool = True,
    variant: Variant = "code",
    reduction: Reduction = "image_mean",
) -> Tensor:
    """The norm of the difference of two features, in which each square counts by the attention of its place.

    L = mean over images of importance sqrt(sum over c, h, w of mask_hw mask_c (teacher - student)²)

    mask_hw and mask_c are softmaxes of the mean |f| of a position and of a channel, scaled to the mean 1, of student
    and teacher together; they are constants. The norm is not divided by anything: it grows with sqrt(C H W).

    Args:
        student: feature of the student, adapted to the teacher's channels.
        teacher: feature of the teacher; it gets no gradient.
        importance: (N,) or a scalar, how much an image counts; None counts each fully.
        before_adapter: the student's feature as its own network showed it: the student's attention is taken from
            there, that of channels only where it has the teacher's number of them. None takes it from ``student``.
        temperature: of both softmaxes.
        channel_mask: False leaves all channels alike.
        variant: how the attention of both is combined, see :func:`pupil.functional.attention_masks.attention_mask`:
            "code" averages two softmaxes, "paper" takes the softmax of the sum.
        reduction: "image_mean", as above, or "batch_norm": one norm over the whole batch times one importance.

    Shape:
        student, teacher: (N, C, H, W); before_adapter: (N, C', H, W); returns a scalar.

    Raises:
        UsageError: for features of different shapes, unknown settings, or an importance that does not fit.

    Reference:
        L. Zhang, K. Ma, "Improve Object Detection with Feature-based Knowledge Distillation", ICLR 2021, L_AM, as the
        code lanqz7766/AID has it, with "batch_norm". The default masks are the code's, to which the published weights
        and temperatures belong. The default reduction is ours, since images are to be weighted; see
        :func:`pupil.functional.norms.weighted_norm` for how the two relate.

    Example:
        >>> import torch
        >>> attention_guided_loss(torch.zeros(2, 4, 3, 3), torch.ones(2, 4, 3, 3))
        tensor(6.)
    """
    check_same_shape(student, teacher, channels_fix="use AttentionGuidedLoss, which owns an adapter")
    check_same_grid(student, teacher)
    check_temperature(temperature)
    check_choice("variant", variant, get_args(Variant))
    seen = student if before_adapter is None else before_adapter
    check_same_grid(seen, teacher)
    teacher = precise(teacher.detach())
    difference = teacher - precise(student)
    spatial = attention_mask(
        spatial_attention(seen.detach()), spatial_attention(teacher), temperature=temperature, variant=variant
    )
    # The roots are inside the norm, not the masks: the norm has a gradient at zero, a root of a sum has none.
    difference = difference * spatial.sqrt().unsqueeze(1)
    if channel_mask:
        seen = seen if seen.shape[1] == teacher.shape[1] else student
        channel = attention_mask(
            channel_attention(seen.detach()), channel_attention(teacher), temperature=temperature, variant=variant
        )
        difference = difference * channel.sqrt()[:, :, None, None]
    return weighted_norm(difference, importance, reduction=reduction)


class AttentionGuidedLoss(nn.Module):
    """Attention-guided distillation with its adapter: :func:`attention_guided_loss` of the adapted feature.

    Args:
        student_channels: channels of the student's feature. The adapter is a 1x1 convolution with a bias, trained with
            the student, also where the channels are equal.
        teacher_channels: channels of the teacher's feature.
        temperature: of both softmaxes.
        channel_mask: False leaves all channels alike.
        variant: "code" or "paper".
        reduction: "image_mean" or "batch_norm".

    Shape:
        student: (N, student_channels, H, W); teacher: (N, teacher_channels, H, W); importance: (N,), a scalar or
        None; returns a scalar.

    Example:
        >>> import torch
        >>> AttentionGuidedLoss(8, 16)(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Improve Object Detection with Feature-based Knowledge Distillation: Towards Accurate and Efficient "
        "Detectors",
        authors="L. Zhang, K. Ma",
        venue="ICLR",
        year=2021,
        url="https://openreview.net/forum?id=uKhGRvM8QNH",
    )

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        *,
        temperature: float = 0.1,
        channel_mask: bool = True,
        variant: Variant = "code",
        reduction: Reduction = "image_mean",
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        check_choice("variant", variant, get_args(Variant))
        check_choice("reduction", reduction, get_args(Reduction))
        self.adapter = nn.Conv2d(student_channels, teacher_channels, 1)
        self.temperature = temperature
        self.channel_mask = channel_mask
        self.variant: Variant = variant
        self.reduction: Reduction = reduction

    def forward(self, student: Tensor, teacher: Tensor, importance: Tensor | None = None) -> Tensor:
        return attention_guided_loss(
            self.adapter(student),
            teacher,
            importance,
            before_adapter=student,
            temperature=self.temperature,
            channel_mask=self.channel_mask,
            variant=self.variant,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, channel_mask={self.channel_mask}, variant={self.variant!r}"
