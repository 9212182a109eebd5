"""The levels of two feature pyramids side by side, and the mean over images that weighs them.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pupil.errors import UsageError, listed


def level_pairs(
    student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], channels: Mapping[str, tuple[int, int]]
) -> list[tuple[Tensor, Tensor]]:
    """The maps of student and teacher, level by level, on one grid and of the channels that were announced.

    Args:
        student: (N, C, H, W) by the name of the level; other names are left alone.
        teacher: the same.
        channels: for each level, those of student and teacher.

    Raises:
        UsageError: for a level that is missing or of another shape, named with both shapes.

    Example:
        >>> import torch
        >>> student, teacher = {"p3": torch.zeros(2, 8, 4, 4)}, {"p3": torch.zeros(2, 16, 4, 4)}
        >>> [(len(ours), theirs.shape[1]) for ours, theirs in level_pairs(student, teacher, {"p3": (8, 16)})]
        [(2, 16)]
    """
    return [_pair(student, teacher, name, expected) for name, expected in channels.items()]


def check_levels(channels: Mapping[str, tuple[int, int]]) -> None:
    """Refuse a loss of no level."""
    if not channels:
        raise UsageError("expected a level, got none: pass {name: (student's channels, teacher's channels)}")


def weighted_mean(values: Tensor, importance: Tensor | None = None) -> Tensor:
    """The mean over images of importance_i times value_i; the importance is a constant.

    Args:
        values: (N,), one an image.
        importance: (N,) or a scalar; None counts every image fully.

    Raises:
        UsageError: for an importance of another shape.

    Example:
        >>> import torch
        >>> weighted_mean(torch.tensor([1.0, 3.0])), weighted_mean(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 0.0]))
        (tensor(2.), tensor(0.5000))
    """
    if importance is None:
        return values.mean()
    if tuple(importance.shape) not in {(), (1,), values.shape}:
        raise UsageError(
            f"expected an importance of shape () or {tuple(values.shape)}, got {tuple(importance.shape)}: "
            "pass one number an image"
        )
    return (values * importance.detach().to(values.dtype)).mean()


def _pair(
    student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], name: str, channels: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    for who, shown in (("student", student), ("teacher", teacher)):
        if name not in shown:
            raise UsageError(
                f"expected level {name!r} of the {who}, got {listed(shown, 8) or 'none'}: name the levels that "
                "both networks show"
            )
    ours, theirs = student[name], teacher[name]
    grid, other = (len(ours), *ours.shape[2:]), (len(theirs), *theirs.shape[2:])
    if ours.dim() != 4 or theirs.dim() != 4 or grid != other:
        fix = "show both networks one batch, and take levels of one stride or resample the student's"
    elif (ours.shape[1], theirs.shape[1]) != tuple(channels):
        fix = f"size the loss by the channels shown, it was made for {tuple(channels)}"
    else:
        return ours, theirs
    raise UsageError(
        f"expected maps of one size at level {name!r}, got {tuple(ours.shape)} of the student and "
        f"{tuple(theirs.shape)} of the teacher: {fix}"
    )
