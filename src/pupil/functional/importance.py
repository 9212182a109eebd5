"""How much a teacher is worth where it fits the labels itself: weights from its own task loss.

Legend: L levels of a pyramid, N images.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.checks import check_choice
from pupil.functional.precision import precise

Granularity = Literal["level_image", "level", "image", "batch"]

# What CUDA devices were asked: whether the answer is there, and where it will be.
_ASKED: list[tuple[Callable[[], bool], Tensor]] = []


def adaptive_weights(task_loss: Tensor, alpha: float = 0.1) -> Tensor:
    """Weights exp(-alpha D) in (0, 1], element by element, from the teacher's task loss D; a constant.

    A loss that is not finite (a broken label) gets the weight 0 and a warning. A negative one is an error: its weight
    would exceed 1. On the CPU both are found at once. A CUDA device is not waited for: it writes two answers into
    pinned memory on its own, and the first later call that finds them there warns or raises.

    Args:
        task_loss: the teacher's loss, whose shape is the granularity: () for the batch, (L, 1) for levels, (N,) for
            images, (L, N) for both; see :func:`teacher_task_loss`.
        alpha: how fast trust fades; -ln(0.8) / the mean of D brings the mean weight near 0.8.

    Returns:
        The same shape, in float32 or better.

    Raises:
        UsageError: for a negative alpha or a negative loss.

    Example:
        >>> adaptive_weights(torch.tensor([0.0, 1.0, 5.0]))
        tensor([1.0000, 0.9048, 0.6065])
    """
    check_alpha(alpha)
    task_loss = precise(task_loss.detach())
    finite = task_loss.isfinite()
    weights = torch.where(finite, torch.exp(-alpha * task_loss), 0.0)
    _look(torch.stack([~finite.all(), (task_loss < 0).any()]))
    return weights


def teacher_task_loss(
    levels: Tensor, shared: Tensor | None = None, *, granularity: Granularity = "level_image"
) -> Tensor:
    """The teacher's task loss at the granularity at which it is to weigh.

    Args:
        levels: (L, N), the parts that belong to a level and an image. Over levels they add up to the image's loss.
        shared: (N,), the part without a level, as the second stage of a two-stage detector has it. It counts in every
            level, and once in an image.
        granularity: what a weight belongs to.

            - "level_image": each level of each image, (L, N).
            - "level": each level, by the mean over images, (L, 1); the released code.
            - "image": each image, by the sum over levels, (N,); the paper.
            - "batch": all alike, ().

    Raises:
        UsageError: for an unknown granularity, or losses of other shapes.

    Example:
        >>> levels, shared = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([10.0, 20.0])
        >>> teacher_task_loss(levels, shared)
        tensor([[11., 22.],
                [13., 24.]])
        >>> teacher_task_loss(levels, shared, granularity="image")
        tensor([14., 26.])
    """
    check_choice("granularity", granularity, get_args(Granularity))
    if levels.dim() != 2 or (shared is not None and shared.shape != levels.shape[1:]):
        raise UsageError(
            f"expected losses (L, N) by level and a shared part (N,), got {tuple(levels.shape)} and "
            f"{None if shared is None else tuple(shared.shape)}: stack one row of images for each level"
        )
    by_image = granularity in ("image", "batch")
    loss = levels.sum(0) if by_image else levels
    if shared is not None:
        loss = loss + shared
    if granularity in ("level", "batch"):
        return loss.mean(-1, keepdim=not by_image)
    return loss


def importance_of_levels(importance: Tensor, levels: int, images: int) -> list[Tensor]:
    """One entry a level, each a number (1,) or one number an image (N,).

    Args:
        importance: (), (N,), (L, 1) or (L, N), in the manner of broadcasting: one row counts for all levels, and (L,)
            would be taken for images.
        levels: L.
        images: N.

    Raises:
        UsageError: for another shape.

    Example:
        >>> [each.tolist() for each in importance_of_levels(torch.tensor([[0.5], [1.0]]), 2, 4)]
        [[0.5], [1.0]]
    """
    if tuple(importance.shape) not in {(), (1,), (images,), (1, 1), (levels, 1), (1, images), (levels, images)}:
        raise UsageError(
            f"expected an importance of shape (), ({images},), ({levels}, 1) or ({levels}, {images}), "
            f"got {tuple(importance.shape)}: pass one number an image, or importance[:, None] for one a level"
        )
    rows = importance.reshape(-1, importance.shape[-1] if importance.dim() else 1)
    return list(rows.expand(levels, -1))


def check_alpha(alpha: float) -> None:
    """Refuse an alpha that would trust a teacher the more, the worse it is."""
    if not alpha >= 0:
        raise UsageError(f"expected alpha of at least 0, got {alpha}: 0.1 is the paper's")


def _look(faults: Tensor) -> None:
    """Report what was found: at once where that costs nothing, else ask the GPU and read what is there so far."""
    if faults.device.type != "cuda":
        _report(faults)
        return
    answer = faults.to("cpu", non_blocking=True)
    _ASKED.append((torch.cuda.current_stream(faults.device).record_event().query, answer))
    _read()


def _read() -> None:
    """Report the answers that are there, oldest first, and leave the others."""
    while _ASKED and _ASKED[0][0]():
        _report(_ASKED.pop(0)[1])


def _report(faults: Tensor) -> None:
    not_finite, negative = faults.tolist()
    if negative:
        raise UsageError("expected a teacher's task loss of at least 0, got a negative one: shift it, or leave it out")
    if not_finite:
        # Python shows a warning of one line of code once.
        warnings.warn("a teacher's task loss is not finite: it counts with weight 0; look at its labels", stacklevel=3)
