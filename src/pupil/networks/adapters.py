"""Adapters: they bring a student's feature to the teacher's channels and rank, and are trained with the loss.

Legend: N images, C channels, H x W positions, L tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pupil.errors import UsageError

# A class token, a distillation token (DeiT), or a class token with four registers (DINOv2).
MOST_PREFIX_TOKENS = 5


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


class TokensToGrid(nn.Module):
    """Lays tokens out as a map, row by row, and drops the prefix tokens (class, distillation, registers).

    Args:
        height: rows H of the map.
        width: columns W of the map.
        prefix_tokens: how many leading tokens belong to no position.

    Shape: (N, prefix + H W, C) to (N, C, H, W).

    Raises:
        UsageError: where the number of tokens is another one.

    Example:
        >>> tuple(TokensToGrid(14, 14, prefix_tokens=1)(torch.zeros(2, 197, 384)).shape)
        (2, 384, 14, 14)
    """

    def __init__(self, height: int, width: int, *, prefix_tokens: int = 0) -> None:
        super().__init__()
        self.height, self.width, self.prefix_tokens = height, width, prefix_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.dim() != 3 or tokens.shape[1] != self.prefix_tokens + self.height * self.width:
            raise UsageError(
                f"expected tokens (N, {self.prefix_tokens} + {self.height} x {self.width}, C), "
                f"got {tuple(tokens.shape)}: give TokensToGrid the grid of this image size"
            )
        images, _, channels = tokens.shape
        positions = tokens[:, self.prefix_tokens :].transpose(1, 2)
        return positions.reshape(images, channels, self.height, self.width)

    def extra_repr(self) -> str:
        return f"{self.height}, {self.width}, prefix_tokens={self.prefix_tokens}"


class GridToTokens(nn.Module):
    """Reads a map row by row as tokens; a class token, where wanted, is the mean of all positions.

    Args:
        class_token: put that mean first, since a teacher's class token sums up the image in the same way.

    Shape: (N, C, H, W) to (N, H W, C), or (N, 1 + H W, C) with a class token.

    Raises:
        UsageError: where the feature is no map.

    Example:
        >>> tuple(GridToTokens(class_token=True)(torch.zeros(2, 384, 14, 14)).shape)
        (2, 197, 384)
    """

    def __init__(self, *, class_token: bool = False) -> None:
        super().__init__()
        self.class_token = class_token

    def forward(self, grid: Tensor) -> Tensor:
        if grid.dim() != 4:
            raise UsageError(f"expected a map (N, C, H, W), got {tuple(grid.shape)}: tap a layer that shows a map")
        tokens = grid.flatten(2).transpose(1, 2)
        return torch.cat([tokens.mean(1, keepdim=True), tokens], 1) if self.class_token else tokens

    def extra_repr(self) -> str:
        return f"class_token={self.class_token}"


def adapter(
    student_shape: Sequence[int],
    teacher_shape: Sequence[int],
    *,
    student_layer: str = "",
    teacher_layer: str = "",
) -> nn.Module:
    """The adapter between two layers, sized by the shapes that a dry run found.

    It bridges channels (1x1 convolution or linear) and rank (tokens <-> map). The sizes of two maps are left alone:
    resampling is wiring, see ``resize`` of :func:`pupil.lesson.features`.

    Args:
        student_shape: (N, C, H, W), (N, L, C) or (N, C).
        teacher_shape: the same for the teacher.
        student_layer: the layer's name, for the error.
        teacher_layer: the layer's name, for the error.

    Returns:
        A module from the student's shape to the teacher's; ``nn.Identity`` where nothing is to be done.

    Raises:
        UsageError: where nothing bridges the two: it names both layers, both shapes and the fix.

    Example:
        >>> adapter((2, 64, 14, 14), (2, 197, 384))
        Sequential(
          (0): GridToTokens(class_token=True)
          (1): ChannelAdapter(
            64, 384, dims=3
            (projection): Linear(in_features=64, out_features=384, bias=False)
          )
        )
    """
    student, teacher = tuple(student_shape), tuple(teacher_shape)
    parts: list[nn.Module] = []
    match len(student), len(teacher):
        case (2, 2) | (4, 4):
            fix = None
        case 3, 3:
            fix = "tap layers with equally many tokens" if student[1] != teacher[1] else None
        case 3, 4:
            prefix = student[1] - math.prod(teacher[2:])
            fix = None if 0 <= prefix <= MOST_PREFIX_TOKENS else _RESAMPLE_TOKENS
            parts.append(TokensToGrid(teacher[2], teacher[3], prefix_tokens=prefix))
        case 4, 3:
            prefix = teacher[1] - math.prod(student[2:])
            fix = None if prefix in (0, 1) else _RESAMPLE_TOKENS
            parts.append(GridToTokens(class_token=prefix == 1))
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
    if student_channels != teacher_channels:
        parts.append(ChannelAdapter(student_channels, teacher_channels, dims=len(teacher)))
    return nn.Identity() if not parts else parts[0] if len(parts) == 1 else nn.Sequential(*parts)


_RESAMPLE_TOKENS = (
    "choose layers with as many tokens as positions, or turn the tokens into a map with TokensToGrid in the "
    "term's inputs and resize there"
)
