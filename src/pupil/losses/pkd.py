"""PKD: the channels of two detectors correlate, whatever the scale and the offset of their features.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_same_grid, check_same_shape
from pupil.functional.levels import weighted_mean
from pupil.functional.precision import precise
from pupil.networks.adapters import ChannelAdapter
from pupil.paper import Paper


def pkd_loss(student: Tensor, teacher: Tensor, importance: Tensor | None = None) -> Tensor:
    """Half of the squared difference of two features, each channel standardised over images and positions.

    L = 1/2 mean over images, channels and positions of (z(student) - z(teacher))²,
    z(f) = (f - mean) / (deviation + 1e-6) of each channel over the M = N H W positions of the batch

    That is (M - 1) / M times one minus Pearson's correlation of the two channels, averaged over channels: what a
    teacher's large channels would otherwise hide, and what no student of another design could copy, is taken out.
    A channel that is constant is zero.

    Args:
        student: feature of the student, of the teacher's channels.
        teacher: feature of the teacher; it gets no gradient.
        importance: (N,) or a scalar, how much an image counts; None counts each fully. All images take part in mean and
            deviation.

    Shape:
        student, teacher: (N, C, H, W); returns a scalar.

    Raises:
        UsageError: for features of different shapes, or an importance that does not fit.

    Reference:
        W. Cao et al., "PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient",
        NeurIPS 2022; code open-mmlab/mmrazor, with the factor 1 to this, and the 1e-6. Its weight, at each of four
        levels of a pyramid, is 6 for Faster R-CNN and 10 for RetinaNet. It resamples the student's map where the two
        differ, as ``resize="student"`` of :func:`pupil.lesson.features` does. Several processes each take their own
        mean and deviation, there and here.

    Example:
        >>> feature = torch.randn(2, 8, 6, 6)
        >>> bool(pkd_loss(3 * feature + 5, feature) < 1e-6)
        True
    """
    check_same_shape(student, teacher, channels_fix="give PKDLoss student_channels and teacher_channels")
    check_same_grid(student, teacher)
    squares = (_standardised(student) - _standardised(teacher.detach())).square()
    return weighted_mean(squares.flatten(1).mean(1) / 2, importance)


class PKDLoss(nn.Module):
    """Distillation by Pearson's correlation, see :func:`pkd_loss`.

    Args:
        student_channels: channels of the student's feature. With ``teacher_channels`` it makes a 1x1 convolution
            without bias that is trained with the student; without both, as published, channels are compared as they
            are.
        teacher_channels: channels of the teacher's feature.

    Shape:
        student: (N, C or student_channels, H, W); teacher: (N, C or teacher_channels, H, W); importance: (N,), a scalar
        or None; returns a scalar.

    Example:
        >>> PKDLoss()(torch.randn(2, 8, 6, 6), torch.randn(2, 8, 6, 6)).shape
        torch.Size([])
    """

    paper = Paper(
        title="PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient",
        authors="W. Cao, Y. Zhang, J. Gao, A. Cheng, K. Cheng, J. Cheng",
        venue="NeurIPS",
        year=2022,
        url="https://arxiv.org/abs/2207.02039",
        code="open-mmlab/mmrazor",
    )

    def __init__(self, student_channels: int | None = None, teacher_channels: int | None = None) -> None:
        super().__init__()
        self.adapter: nn.Module = nn.Identity()
        if student_channels is not None and teacher_channels is not None:
            self.adapter = ChannelAdapter(student_channels, teacher_channels)
        elif student_channels is not None or teacher_channels is not None:
            raise UsageError(
                f"expected the channels of both layers, got {student_channels} and {teacher_channels}: "
                "pass both for an adapter, or neither"
            )

    def forward(self, student: Tensor, teacher: Tensor, importance: Tensor | None = None) -> Tensor:
        return pkd_loss(self.adapter(student), teacher, importance)


def _standardised(feature: Tensor) -> Tensor:
    axes = (0, 2, 3)
    feature = precise(feature)
    # The mean of a constant channel is off by a rounding, which 1e-6 would enlarge: the second mean takes it out.
    for _ in range(2):
        feature = feature - feature.mean(axes, keepdim=True)
    freedom = max(1, feature[:, 0].numel() - 1)
    # vector_norm has the subgradient zero at zero, where a root has none.
    deviation = torch.linalg.vector_norm(feature, dim=axes, keepdim=True) / freedom**0.5
    standardised: Tensor = feature / (deviation + 1e-6)
    return standardised
