"""Adapters: they bring a student's feature to the teacher's channels, and are trained with the loss.

Legend: N images, C channels, H x W positions, L tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pupil.errors import UsageError


class ChannelAdapter(nn.Module):
    """Projects every position of the student's feature to the teacher's number of channels, without a bias.

    Args:
        student_channels: channels that come in.
        teacher_channels: channels that go out.
        dims: rank of the feature: 4 for maps (N, C, H, W), 3 for tokens (N, L, C), 2 for vectors (N, C).

    Shape: the student's feature in, the same with the teacher's channels out.

    Raises:
        UsageError: for another rank than 2, 3 or 4, or a feature of another rank or number of channels.

    Example:
        >>> import torch
        >>> tuple(ChannelAdapter(8, 32)(torch.zeros(2, 8, 5, 5)).shape)
        (2, 32, 5, 5)
    """

    def __init__(self, student_channels: int, teacher_channels: int, *, dims: int = 4) -> None:
        super().__init__()
        if dims not in (2, 3, 4):
            raise UsageError(f"expected dims 2 (vectors), 3 (tokens) or 4 (maps), got {dims}: pass one of them")
        self.student_channels, self.teacher_channels, self.dims = student_channels, teacher_channels, dims
        self.projection: nn.Module = (
            nn.Conv2d(student_channels, teacher_channels, kernel_size=1, bias=False)
            if dims == 4
            else nn.Linear(student_channels, teacher_channels, bias=False)
        )

    def forward(self, feature: Tensor) -> Tensor:
        axis = 1 if self.dims == 4 else -1
        if feature.dim() != self.dims or feature.shape[axis] != self.student_channels:
            raise UsageError(
                f"expected a student's feature of {self.dims} dimensions and {self.student_channels} channels, "
                f"got {tuple(feature.shape)}: size the adapter by the layer's shape"
            )
        projected: Tensor = self.projection(feature)
        return projected

    def extra_repr(self) -> str:
        return f"{self.student_channels}, {self.teacher_channels}, dims={self.dims}"


def adapter(
    student_shape: Sequence[int],
    teacher_shape: Sequence[int],
    *,
    student_layer: str = "",
    teacher_layer: str = "",
) -> nn.Module:
    """The adapter between two layers of one rank, sized by the shapes that a dry run found.

    It bridges channels, by a 1x1 convolution or a linear layer. What needs no training is wiring, which the inputs of
    a term do: tokens become maps by :func:`pupil.networks.map_of`, the sizes of two maps are brought together by
    ``resize`` of :func:`pupil.lesson.features`.

    Args:
        student_shape: (N, C, H, W), (N, L, C) or (N, C).
        teacher_shape: the same for the teacher.
        student_layer: the layer's name, for the error.
        teacher_layer: the layer's name, for the error.

    Returns:
        A module from the student's channels to the teacher's; ``nn.Identity`` where they are equal.

    Raises:
        UsageError: where nothing bridges the two: it names both layers, both shapes and the fix.

    Example:
        >>> adapter((2, 64, 14, 14), (2, 384, 14, 14))
        ChannelAdapter(
          64, 384, dims=4
          (projection): Conv2d(64, 384, kernel_size=(1, 1), stride=(1, 1), bias=False)
        )
    """
    student, teacher = tuple(student_shape), tuple(teacher_shape)
    match len(student), len(teacher):
        case (2, 2) | (4, 4):
            fix = None
        case 3, 3:
            fix = "tap layers with equally many tokens" if student[1] != teacher[1] else None
        case (3, 4) | (4, 3):
            fix = "tap two maps, two layers of tokens, or lay the tokens out as a map with TokensToGrid"
        case (2, _) | (_, 2):
            fix = "tap both networks before their pooling, or both after it"
        case _:
            fix = "tap layers that show (N, C, H, W), (N, L, C) or (N, C)"
    if fix:
        raise UsageError(
            f"expected two layers that an adapter can bridge, got the student's {student_layer!r} {student} "
            f"and the teacher's {teacher_layer!r} {teacher}: {fix}"
        )
    student_channels, teacher_channels = (shape[1 if len(shape) == 4 else -1] for shape in (student, teacher))
    if student_channels == teacher_channels:
        return nn.Identity()
    return ChannelAdapter(student_channels, teacher_channels, dims=len(teacher))
