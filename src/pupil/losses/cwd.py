"""CWD: every channel is a map of where the network looks, and the student's maps follow the teacher's.

Legend: N images, C channels (classes, for logits), H x W positions.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import (
    check_channels,
    check_choice,
    check_positions,
    check_same_shape,
    check_temperature,
    check_valid,
)
from pupil.functional.kl import kl_divergence
from pupil.functional.masking import hide, image_mean, masked_mean
from pupil.functional.precision import precise
from pupil.networks.adapters import ChannelAdapter
from pupil.paper import Paper

Variant = Literal["channel_kl", "spatial_kl", "channel_mse", "channel_mean_mse"]


def cwd_loss(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    temperature: float = 4.0,
    variant: Variant = "channel_kl",
) -> Tensor:
    """Channel-wise distillation: KL divergence between the spatial softmax of the teacher's and student's channels.

    L = temperature² / (N C) sum over images, channels and positions of p_teacher log(p_teacher / p_student),
        p = softmax over the positions of one channel / temperature

    The value grows with the number of positions, up to temperature² log(H W): a weight belongs to one size of map.

    Args:
        student: logits or features.
        teacher: the same shape; they get no gradient.
        valid: positions that count, bool; None counts all, and none at all gives 0.
        temperature: softens both maps; 4 in the paper. The two variants with squares have none, as released.
        variant: what is compared.

            - "channel_kl": the method itself, as above.
            - "spatial_kl": KL over channels at each position, mean over positions, times temperature².
            - "channel_mse": squared difference of the spatial softmax, summed over positions, mean over N C.
            - "channel_mean_mse": squared difference of the spatial means, mean over N C.

    Shape:
        student, teacher: (N, C, H, W) or any positions; valid: (N, H, W); returns a scalar.

    Raises:
        UsageError: for different shapes, a single position, a mask that does not fit, or a temperature <= 0.

    Reference:
        C. Shu, Y. Liu, J. Gao, Z. Yan, C. Shen, "Channel-wise Knowledge Distillation for Dense Prediction", ICCV
        2021, code irfanICMLL/TorchDistiller. Paper and code agree on the formula; the code takes the logarithm of a
        softmax, which overflows for large logits, where this does not. The factor to TorchDistiller is 1. CIRKD
        projects the student's channels inside its loss and divides by their number before the projection, so that its
        value is C_teacher / C_student times this one. The other variants are options of the same released class.

    Example:
        >>> student = torch.tensor([[[[0.0, 0.0]]]])
        >>> cwd_loss(student, torch.tensor([[[[0.0, 4.0]]]]))
        tensor(1.7751)
    """
    check_temperature(temperature)
    check_choice("variant", variant, get_args(Variant))
    check_same_shape(student, teacher, channels_fix="give CWDLoss student_channels and teacher_channels")
    check_positions(student)
    check_valid(valid, student)
    if variant == "spatial_kl":
        check_channels(student, at_least=2, because="softmax over one channel is constant, use variant='channel_kl'")
        divergence = kl_divergence(student, teacher, dim=1, temperature=temperature)
        return masked_mean(divergence, valid) * temperature**2
    ours, theirs = (hide(precise(maps), valid).flatten(2) for maps in (student, teacher.detach()))
    if variant == "channel_kl":
        divergence = kl_divergence(ours, theirs, dim=2, temperature=temperature)
        return image_mean(divergence, valid).mean() * temperature**2
    if variant == "channel_mse":
        return image_mean((ours.softmax(2) - theirs.softmax(2)).square().sum(2), valid).mean()
    return image_mean(_spatial_mean(precise(student) - precise(teacher.detach()), valid).square(), valid).mean()


class CWDLoss(nn.Module):
    """Channel-wise distillation on logits or features, see :func:`cwd_loss`.

    Args:
        student_channels: channels of the student's feature. With ``teacher_channels`` it makes a 1x1 convolution
            without bias that is trained with the student; without both the channels are compared as they are.
        teacher_channels: channels of the teacher's feature.
        temperature: softens both maps.
        variant: "channel_kl", "spatial_kl", "channel_mse" or "channel_mean_mse".

    Shape:
        student: (N, C or student_channels, H, W); teacher: (N, C or teacher_channels, H, W);
        valid: (N, H, W) bool or None; returns a scalar.

    Example:
        >>> loss = CWDLoss(128, 512)
        >>> loss(torch.zeros(2, 128, 8, 8), torch.randn(2, 512, 8, 8)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Channel-wise Knowledge Distillation for Dense Prediction",
        authors="C. Shu, Y. Liu, J. Gao, Z. Yan, C. Shen",
        venue="ICCV",
        year=2021,
        url="https://arxiv.org/abs/2011.13256",
        code="irfanICMLL/TorchDistiller",
    )

    def __init__(
        self,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
        *,
        temperature: float = 4.0,
        variant: Variant = "channel_kl",
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        check_choice("variant", variant, get_args(Variant))
        self.temperature = temperature
        self.variant: Variant = variant
        self.adapter: nn.Module = nn.Identity()
        if student_channels is not None and teacher_channels is not None:
            self.adapter = ChannelAdapter(student_channels, teacher_channels)
        elif student_channels is not None or teacher_channels is not None:
            raise UsageError(
                f"expected the channels of both layers, got {student_channels} and {teacher_channels}: "
                "pass both for an adapter, or neither"
            )

    def forward(self, student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
        adapted = self.adapter(student)
        return cwd_loss(adapted, teacher, valid, temperature=self.temperature, variant=self.variant)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, variant={self.variant!r}"


def _spatial_mean(maps: Tensor, valid: Tensor | None) -> Tensor:
    """(N, C): the mean over the valid positions of each image, zero where there are none."""
    if valid is None:
        return maps.flatten(2).mean(2)
    kept = torch.where(valid.unsqueeze(1), maps, 0.0).flatten(2).sum(2)
    return kept / valid.flatten(1).sum(1, keepdim=True).clamp(min=1)
