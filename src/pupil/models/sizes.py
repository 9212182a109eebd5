"""Which image sizes a network takes: it is asked, since no library says it for all of its networks."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import nn

from pupil.errors import UsageError
from pupil.networks.modes import evaluating

ENOUGH = 128
SMALL = (32, 48, 64, 96, 128, 192, 256, 320)


class Sizes(TypedDict):
    """As the two arguments of :class:`pupil.models.Preprocessing` of the same names."""

    divisor: int
    size: tuple[int, int] | None


def accepted_sizes(
    model: nn.Module, kind: str, *, stride: int = 32, patch: int = 1, only: tuple[int, int] | None = None
) -> Sizes:
    """Ask a network in evaluation mode whether it takes images of any size, of multiples of its stride, or of one size.

    Args:
        model: the network; its training flags stay as they are.
        kind: its name, for the error.
        stride: of its coarsest feature.
        patch: the smallest multiple that makes sense, for networks that drop the rest of an image without a word.
        only: the size that it was built for, asked last.

    Raises:
        UsageError: where it runs on none of them.

    Example:
        >>> accepted_sizes(nn.PixelUnshuffle(8), "blocks", stride=8)
        {'divisor': 8, 'size': None}
    """
    stride, tried, reason = max(stride, patch), "", None
    # An odd number of strides, so that they are no multiple of anything larger; and no less than networks can pool.
    times = ENOUGH // stride | 1
    for divisor in dict.fromkeys((patch, stride)):
        beyond = divisor if divisor < stride else 0
        height, width = times * stride + beyond, (times + 2) * stride + beyond
        tried, reason = f"{height}x{width}", _refusal(model, (height, width))
        if reason is None:
            return {"divisor": divisor, "size": None}
    if only:
        tried, reason = f"{tried} or {only[0]}x{only[1]}", _refusal(model, only)
        if reason is None:
            return {"divisor": 1, "size": only}
    raise UsageError(
        f"expected {kind} to run on an image of {tried}, got {reason}: "
        "choose another model, or the size that this one was made for with its own option"
    )


def least_side(model: nn.Module, kind: str, sizes: Sizes) -> int:
    """The smallest of a few sides, from 32 pixels up, at which a network of any size runs: some pool more often.

    Example:
        >>> least_side(nn.Sequential(nn.AvgPool2d(40), nn.Flatten()), "pooled", {"divisor": 1, "size": None})
        48
    """
    if sizes["size"]:
        return 1
    divisor, reason = sizes["divisor"], None
    for smallest in SMALL:
        side = max(1, round(smallest / divisor)) * divisor
        reason = _refusal(model, (side, side))
        if reason is None:
            return side if smallest > SMALL[0] else 1
    raise UsageError(f"expected {kind} to run on an image of {SMALL[-1]} pixels a side, got {reason}: choose another")


def _refusal(model: nn.Module, size: tuple[int, int]) -> str | None:
    """Why the network refuses an image of this size, in one line, or None if it takes it."""
    try:
        with evaluating(model), torch.no_grad():
            model(torch.zeros(1, 3, *size))
    except Exception as error:  # libraries refuse sizes with every kind of error
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
    return None
