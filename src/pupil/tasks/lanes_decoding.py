"""From a lane network's logits to points: where each lane is at given rows of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.constants import constant
from pupil.functional.precision import precise

LEAST = 2  # points of a lane
SHARE = 0.1  # of the rows, where nothing but its points says that a lane is there


def decode_lanes(
    logits: Tensor,
    existence: Tensor | None,
    rows: Sequence[float],
    size: tuple[int, int],
    *,
    threshold: float = 0.3,
    smoothing: int | None = None,
    top: float = 0.0,
) -> Tensor:
    """Points of each lane at some rows of the image.

    The probabilities, softmax over the classes, pass a box filter. At each row the lane is at the column of its largest
    one, if that is above the threshold; gaps between rows are filled linearly. A lane is there if its existence logit
    is above 0 (a probability of 0.5) and it has two points; without such logits, if a tenth of the rows have one.

    Args:
        logits: of background and S lanes, at the size in which lanes are looked for.
        existence: logits of whether each lane is there, or None.
        rows: fractions of the image's height, in order up or down.
        size: (H, W) of the image.
        threshold: least probability of a point.
        smoothing: side of the box, odd; the mean is over what of it lies inside. None takes about a hundredth of the
            logits' width, 3 at least: a box much wider than a drawn lane would thin it out.
        top: the share of the image that was cut off above before the network saw it.

    Shape:
        logits (N, S + 1, h, w), existence (N, S); returned (N, S, R, 2) float32, (x, y) in pixels of the image counted
        from the centre of the first one; x is NaN where there is no point.

    Raises:
        UsageError: for a box without a middle.

    Reference: the decoding of CULane in `cardwing/Codes-for-Lane-Detection` (9 x 9, 0.3); for TuSimple it has 5 x 5 and
    0.2, and further steps that are left out here: only the largest contours of each lane's map are kept, collinear
    pieces are joined, and lanes shorter than 70 pixels are dropped. It scales columns by the ratio of the widths from
    corner to corner; here the centres of pixels correspond.

    Example:
        >>> logits = torch.zeros(1, 2, 4, 8)
        >>> logits[0, 1, 1:, 5] = 9.0
        >>> decode_lanes(logits, None, [0.25, 0.75], (8, 16), smoothing=1)[0, 0].tolist()
        [[10.5, 2.0], [10.5, 6.0]]
    """
    if smoothing is None:
        smoothing = max(3, 2 * round(logits.shape[3] / 200) + 1)
    if smoothing < 1 or smoothing % 2 == 0:
        raise UsageError(f"expected an odd smoothing, a box with a middle, got {smoothing}: 5 and 9 are usual")
    height, width = size
    cut = round(top * height)
    y = constant(("rows", tuple(rows), height), logits.device, lambda: torch.tensor([row * height for row in rows]))
    # A row of the image as one of the logits, centre to centre.
    place = ((y + 0.5 - cut) * (logits.shape[2] / (height - cut)) - 0.5).round().long()
    inside = (place >= 0) & (place < logits.shape[2])
    probability = precise(logits).softmax(dim=1)[:, 1:]
    if smoothing > 1:
        half = smoothing // 2
        probability = F.avg_pool2d(probability, smoothing, stride=1, padding=half, count_include_pad=False)
    value, column = probability[:, :, place.clamp(0, logits.shape[2] - 1)].max(dim=3)
    x = (column + 0.5) * (width / logits.shape[3]) - 0.5

    there = (value > threshold) & inside
    least = LEAST
    if existence is None:
        least = max(LEAST, math.ceil(SHARE * len(rows)))
    else:
        there = there & (existence > 0)[:, :, None]
    x = _filled(x, there, y, there.sum(dim=2, keepdim=True) >= least)
    return torch.stack([x, y.to(x).expand_as(x)], dim=3)


def _filled(x: Tensor, there: Tensor, y: Tensor, lane: Tensor) -> Tensor:
    """The columns with gaps filled linearly, NaN before the first and after the last that is there, and in no lane.

    Shape:
        x, there (N, S, R), y (R,), lane (N, S, 1).
    """
    count = x.shape[2]
    index = torch.arange(count, device=x.device)
    before = torch.where(there, index, -1).cummax(dim=2).values
    after = torch.where(there, index, count).flip(2).cummin(dim=2).values.flip(2)
    between = (before >= 0) & (after < count) & lane
    before, after = before.clamp(min=0), after.clamp(max=count - 1)
    first, last = x.gather(2, before), x.gather(2, after)
    share = (y - y[before]) / torch.where(before == after, 1, y[after] - y[before])
    return torch.where(between, first + (last - first) * share, torch.nan)
