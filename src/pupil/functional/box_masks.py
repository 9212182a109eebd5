"""Which positions of a map belong to objects: boxes painted on a grid, and anchors that lie near a box.

Legend: N images, M boxes, A anchors, H x W positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from pupil.errors import UsageError
from pupil.functional.checks import check_choice
from pupil.functional.precision import precise
from pupil.functional.row_chunks import MOST_ELEMENTS

Variant = Literal["paper", "code"]


def paint_boxes(
    boxes: Sequence[Tensor], size: tuple[int, int], image_size: tuple[int, int], *, variant: Variant = "paper"
) -> Tensor:
    """In each cell of a grid 1 / (height width) of the smallest box that covers it, in cells; zero outside all boxes.

    "paper": a box covers the cells that it overlaps, at least one, within the grid: those of one box add up to 1.
    "code":  it covers one more row and column, and rows and columns are exchanged: on a grid that is not square, and
             for a box off the diagonal, other cells than the object's.

    Args:
        boxes: for each image (M, 4), left, top, right, bottom in pixels; M may be 0. NaN covers nothing.
        size: (H, W) of the grid.
        image_size: (height, width) of the batch in pixels, padding included: a cell has a stride of one over the other.
        variant: "paper" or "code", as above.

    Returns:
        (N, H, W), float32 or better, a constant.

    Raises:
        UsageError: for boxes of another shape, or an unknown variant.

    Example:
        >>> paint_boxes([torch.tensor([[0.0, 0.0, 8.0, 16.0]]), torch.zeros(0, 4)], (2, 3), (16, 24))
        tensor([[[0.5000, 0.0000, 0.0000],
                 [0.5000, 0.0000, 0.0000]],
        <BLANKLINE>
                [[0.0000, 0.0000, 0.0000],
                 [0.0000, 0.0000, 0.0000]]])
    """
    check_choice("variant", variant, get_args(Variant))
    (height, width), images = size, len(boxes)
    table = _table(boxes)
    painted = table.new_zeros(images, height, width)
    across, down = width / image_size[1], height / image_size[0]
    first_column, last_column = _cells(table[..., 0] * across, table[..., 2] * across, width, variant)
    first_row, last_row = _cells(table[..., 1] * down, table[..., 3] * down, height, variant)
    weight = ((last_row - first_row).clamp(min=1) * (last_column - first_column).clamp(min=1)).reciprocal()
    if variant == "code":
        first_row, last_row, first_column, last_column = first_column, last_column, first_row, last_row
    rows = _between(first_row, last_row, height)
    columns = _between(first_column, last_column, width)
    step = max(1, MOST_ELEMENTS // max(1, painted.numel()))
    for start in range(0, table.shape[1], step):
        part = slice(start, start + step)
        covered = rows[:, part, :, None] & columns[:, part, None, :]
        painted = torch.maximum(painted, torch.where(covered, weight[:, part, None, None], 0.0).amax(1))
    return painted


def near_anchors(anchors: Tensor, boxes: Sequence[Tensor], *, threshold: float = 0.5) -> Tensor:
    """The anchors that overlap some object more than a share of what the best anchor overlaps it.

    near = any over boxes of IoU(anchor, box) > threshold max over anchors of IoU(anchor, box)

    Every box that an anchor meets has at least one, however small it is.

    Args:
        anchors: (A, 4), left, top, right, bottom in pixels, those of all levels together.
        boxes: for each image (M, 4); M may be 0.
        threshold: that share.

    Returns:
        (N, A) bool.

    Raises:
        UsageError: for anchors or boxes of another shape, or a threshold outside [0, 1).

    Example:
        >>> anchors = torch.tensor([[0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 6.0, 4.0], [8.0, 8.0, 12.0, 12.0]])
        >>> near_anchors(anchors, [torch.tensor([[1.0, 0.0, 5.0, 4.0]]), torch.zeros(0, 4)])
        tensor([[ True,  True, False],
                [False, False, False]])
    """
    from torchvision.ops import box_iou

    check_threshold(threshold)
    _check_rows("anchors", anchors)
    table, anchors = _table(boxes), precise(anchors.detach())
    images = len(table)
    near = torch.zeros(images, len(anchors), dtype=torch.bool, device=anchors.device)
    # The overlaps of a pair pass through several numbers on their way.
    step = max(1, MOST_ELEMENTS // 4 // max(1, near.numel()))
    for start in range(0, table.shape[1], step):
        part = table[:, start : start + step]
        overlap = box_iou(part.flatten(0, 1), anchors).view(images, -1, len(anchors))
        near |= (overlap > threshold * overlap.amax(2, keepdim=True)).any(1)
    return near


def check_boxes(boxes: Sequence[Tensor], images: int) -> None:
    """Refuse boxes of another number of images."""
    if len(boxes) != images:
        raise UsageError(
            f"expected the boxes of {images} images, got {len(boxes)}: pass one tensor (M, 4) an image, M may be 0"
        )


def check_threshold(threshold: float) -> None:
    """Refuse a share of the best overlap that no anchor, or not even the best one, could exceed."""
    if not 0 <= threshold < 1:
        raise UsageError(f"expected a threshold of at least 0 and below 1, got {threshold}: 0.5 is the paper's")


def _table(boxes: Sequence[Tensor]) -> Tensor:
    """(N, M, 4), with NaN below the boxes of an image that has fewer: no comparison with it holds."""
    for each in boxes:
        _check_rows("boxes", each)
    return pad_sequence([precise(each.detach()) for each in boxes], batch_first=True, padding_value=torch.nan)


def _check_rows(what: str, rows: Tensor) -> None:
    if rows.dim() != 2 or rows.shape[1] != 4:
        raise UsageError(f"expected {what} of shape (M, 4), got {tuple(rows.shape)}: pass left, top, right, bottom")


def _cells(first: Tensor, last: Tensor, cells: int, variant: Variant) -> tuple[Tensor, Tensor]:
    """The first cell of each box along one axis, and the one after its last."""
    begin, end = first.floor(), last.ceil()
    if variant == "code":
        return begin, end + 1
    return begin.clamp(min=0), torch.maximum(end, begin + 1).clamp(max=cells)


def _between(first: Tensor, last: Tensor, cells: int) -> Tensor:
    places = torch.arange(cells, device=first.device)
    return (places >= first.unsqueeze(-1)) & (places < last.unsqueeze(-1))
