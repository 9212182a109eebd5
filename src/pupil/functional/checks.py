"""What a loss checks at its door: shapes that match, a mask that fits, settings that exist."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from pupil.errors import UsageError, unknown


def check_same_shape(student: Tensor, teacher: Tensor, *, channels_fix: str) -> None:
    """Refuse tensors of different shapes, naming both and the fix.

    Args:
        student: (N, C, ...).
        teacher: the same shape.
        channels_fix: what the caller does where only the channels differ; it depends on the loss.

    Example:
        >>> check_same_shape(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8), channels_fix="add an adapter")
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: expected one shape for student and teacher, got (1, 3, 4, 4) and (1, 3, 8, 8): \
resample one of them, e.g. with resize="smaller" of the inputs helper
    """
    if student.shape == teacher.shape:
        return
    fix = 'resample one of them, e.g. with resize="smaller" of the inputs helper'
    if student.dim() != teacher.dim() or student.shape[:1] != teacher.shape[:1]:
        fix = "show both networks the same batch and take the same kind of output"
    elif student.shape[2:] == teacher.shape[2:]:
        fix = channels_fix
    raise UsageError(
        f"expected one shape for student and teacher, got {tuple(student.shape)} and {tuple(teacher.shape)}: {fix}"
    )


def check_same_grid(student: Tensor, teacher: Tensor) -> None:
    """Refuse maps that differ in images, height or width, naming both shapes; their channels may differ.

    Args:
        student: (N, C, H, W).
        teacher: (N, C', H, W).

    Example:
        >>> check_same_grid(torch.zeros(1, 3, 4, 4), torch.zeros(1, 5, 8, 8))
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: expected one grid for student and teacher, got (1, 3, 4, 4) and (1, 5, 8, 8): \
resample one of them, e.g. with resize="smaller" of pupil.lesson.features
    """
    maps, batches = student.dim() == teacher.dim() == 4, len(student) == len(teacher)
    if maps and batches and student.shape[2:] == teacher.shape[2:]:
        return
    fix = 'resample one of them, e.g. with resize="smaller" of pupil.lesson.features'
    if not maps:
        fix = "take layers that show maps (N, C, H, W)"
    elif not batches:
        fix = "show both networks the same batch"
    raise UsageError(
        f"expected one grid for student and teacher, got {tuple(student.shape)} and {tuple(teacher.shape)}: {fix}"
    )


def check_same_images(student: Tensor, teacher: Tensor) -> None:
    """Refuse features of different numbers of images."""
    if len(student) != len(teacher):
        raise UsageError(
            f"expected features of the same images, got {len(student)} and {len(teacher)}: pass those of one batch"
        )


def check_valid(valid: Tensor | None, logits: Tensor) -> None:
    """Refuse a mask that is not bool, or not of the logits' shape without the class dimension."""
    expected = (logits.shape[0], *logits.shape[2:])
    if valid is not None and (valid.dtype != torch.bool or tuple(valid.shape) != expected):
        raise UsageError(
            f"expected valid as bool of shape {expected}, got {valid.dtype} of shape {tuple(valid.shape)}: "
            "pass target != ignore_index at the size of the logits"
        )


def check_channels(logits: Tensor, *, at_least: int, because: str) -> None:
    """Refuse logits with too few classes to compare, naming the reason."""
    if logits.dim() < 2 or logits.shape[1] < at_least:
        raise UsageError(f"expected logits (N, K, ...) with K >= {at_least}, got {tuple(logits.shape)}: {because}")


def check_positions(maps: Tensor) -> None:
    """Refuse tensors without at least two positions to compare."""
    if maps.dim() < 3 or maps.shape[2:].numel() < 2:
        raise UsageError(
            f"expected maps (N, C, H, W) with two positions or more, got {tuple(maps.shape)}: "
            "take the features or logits before they are pooled"
        )


def check_trains_a_block(teacher: Tensor) -> None:
    """Refuse a teacher's feature that autograd cannot keep for the block that is trained on it."""
    if teacher.is_inference():
        raise UsageError("expected a teacher's feature made under no_grad, got inference_mode: its block trains on it")


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that is not above zero."""
    if not temperature > 0:
        raise UsageError(f"expected a temperature above zero, got {temperature}: 1 leaves the logits as they are")


def check_choice(kind: str, choice: str, known: Iterable[str]) -> None:
    """Refuse a name that is not among the known ones, listing the close ones."""
    known = tuple(known)
    if choice not in known:
        raise unknown(kind, choice, known)
