"""Non-local distillation: the relations between positions, gathered into a map, follow the teacher's.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from torch import Tensor, nn

from pupil.functional.checks import check_choice, check_same_grid, check_same_shape, check_trains_a_block
from pupil.functional.norms import Reduction, weighted_norm
from pupil.functional.precision import precise
from pupil.losses.attention_guided import AttentionGuidedLoss
from pupil.networks.non_local import NonLocalBlock


def non_local_loss(
    student: Tensor,
    teacher: Tensor,
    importance: Tensor | None = None,
    *,
    student_block: Callable[[Tensor], Tensor],
    teacher_block: Callable[[Tensor], Tensor],
    reduction: Reduction = "image_mean",
) -> Tensor:
    """The norm of the difference of two maps in which every position has gathered what the others know.

    L = mean over images of importance ||student_block(student) - teacher_block(teacher)||

    The teacher's feature gets no gradient; its block does, so that the target moves while both blocks learn.

    Args:
        student: feature of the student.
        teacher: feature of the teacher, made under no_grad: tensors of inference_mode cannot train a block.
        importance: (N,) or a scalar, how much an image counts; None counts each fully.
        student_block: makes the student's relations, in the teacher's channels.
        teacher_block: makes the teacher's relations.
        reduction: "image_mean", as above, or "batch_norm": one norm over the whole batch times one importance.

    Shape:
        student: (N, C', H, W); teacher: (N, C, H, W); returns a scalar.

    Raises:
        UsageError: for maps on different grids, relations of different shapes, a feature made under inference_mode, or
            an importance that does not fit.

    Reference:
        L. Zhang, K. Ma, "Improve Object Detection with Feature-based Knowledge Distillation", ICLR 2021, L_NLD; the
        code lanqz7766/AID takes "batch_norm".

    Example:
        >>> import torch
        >>> same = torch.nn.Identity()
        >>> student, teacher = torch.zeros(2, 4, 3, 3), torch.ones(2, 4, 3, 3)
        >>> non_local_loss(student, teacher, student_block=same, teacher_block=same)
        tensor(6.)
    """
    check_same_grid(student, teacher)
    check_trains_a_block(teacher)
    ours, theirs = student_block(student), teacher_block(teacher.detach())
    check_same_shape(ours, theirs, channels_fix="let student_block end in the teacher's channels")
    return weighted_norm(precise(theirs) - precise(ours), importance, reduction=reduction)


class NonLocalLoss(nn.Module):
    """Non-local distillation with its blocks: :func:`non_local_loss` of two :class:`NonLocalBlock`.

    Args:
        student_channels: channels of the student's feature; its block ends in a 1x1 convolution to the teacher's.
        teacher_channels: channels of the teacher's feature.
        inner_channels: channels in which positions are compared.
        pool: by how much the positions that are gathered from are pooled.
        train_teacher_block: False holds the target still: the teacher's block is then the identity, as it is born.
        reduction: "image_mean" or "batch_norm".

    Shape:
        student: (N, student_channels, H, W); teacher: (N, teacher_channels, H, W); importance: (N,), a scalar or
        None; returns a scalar.

    Example:
        >>> import torch
        >>> NonLocalLoss(8, 16, inner_channels=4)(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = AttentionGuidedLoss.paper

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        *,
        inner_channels: int = 128,
        pool: int = 2,
        train_teacher_block: bool = True,
        reduction: Reduction = "image_mean",
    ) -> None:
        super().__init__()
        check_choice("reduction", reduction, get_args(Reduction))
        self.student_block = NonLocalBlock(student_channels, inner_channels, pool=pool)
        self.teacher_block = NonLocalBlock(teacher_channels, inner_channels, pool=pool)
        self.teacher_block.requires_grad_(train_teacher_block)
        self.adapter = nn.Conv2d(student_channels, teacher_channels, 1)
        self.reduction: Reduction = reduction

    def forward(self, student: Tensor, teacher: Tensor, importance: Tensor | None = None) -> Tensor:
        return non_local_loss(
            student,
            teacher,
            importance,
            student_block=lambda feature: self.adapter(self.student_block(feature)),
            teacher_block=self.teacher_block,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
