"""FGFI: the student's pyramid follows the teacher's at the positions whose anchors lie near an object.

Legend: N images, C channels, H x W positions, M boxes, A anchors, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.box_masks import check_boxes, check_threshold, near_anchors
from pupil.functional.checks import check_same_grid, check_same_shape
from pupil.functional.importance import importance_of_levels
from pupil.functional.levels import check_levels, level_pairs
from pupil.functional.precision import precise
from pupil.paper import Paper


def fgfi_loss(
    student: Sequence[Tensor], teacher: Sequence[Tensor], near: Sequence[Tensor], importance: Tensor | None = None
) -> Tensor:
    """Half of the squared difference of two pyramids, averaged over the positions near an object.

    L = mean over images i of 1 / (2 n_i) sum over levels of importance_li sum over near positions and channels of
        (teacher - student)²,  n_i the near positions of an image in all levels; an image without any adds zero

    Args:
        student: features of the student, level by level, of the teacher's channels.
        teacher: features of the teacher; they get no gradient.
        near: the positions of each level that count, bool; see :func:`pupil.functional.box_masks.near_anchors`.
        importance: (N,), (L, 1), (L, N) or a scalar, how much an image counts in a level; None counts all fully.

    Shape:
        student, teacher: L times (N, C, H, W); near: L times (N, H, W); returns a scalar.

    Raises:
        UsageError: for pyramids or positions that do not fit each other, or an importance that does not fit.

    Reference:
        T. Wang, L. Yuan, X. Zhang, J. Feng, "Distilling Object Detectors with Fine-grained Feature Imitation", CVPR
        2019; code twangnh/Distilling-Object-Detectors. For one image and one level, as the authors train, all three
        agree, with the factor 1. Of more images the code adds up the near positions, so that those with many objects
        count more; here images count alike, and can be weighed. The published weight is 0.01, and 0 in the first 400
        steps. An image without objects is 0 / 0 in the code.

    Example:
        >>> near = torch.tensor([[[True, False], [False, False]]])
        >>> fgfi_loss([torch.zeros(1, 4, 2, 2)], [torch.ones(1, 4, 2, 2)], [near])
        tensor(2.)
    """
    if not len(student) == len(teacher) == len(near) > 0:
        raise UsageError(
            f"expected the same levels of student, teacher and positions, got {len(student)}, {len(teacher)} and "
            f"{len(near)}: pass one tensor a level"
        )
    squares = [_squares(*each) for each in zip(student, teacher, near, strict=True)]
    if importance is not None:
        rows = importance_of_levels(importance.detach(), len(squares), len(student[0]))
        squares = [each * row.to(each.dtype) for each, row in zip(squares, rows, strict=True)]
    positions = torch.stack([each.flatten(1).sum(1) for each in near]).sum(0).clamp(min=1)
    return (torch.stack(squares).sum(0) / (2 * positions)).mean()


class FGFILoss(nn.Module):
    """Fine-grained imitation with its adapters: :func:`fgfi_loss` at the positions that have an anchor near an object.

    An anchor is near where it overlaps an object more than ``threshold`` times as much as the best anchor of any level
    does. The adapter of a level is a 3x3 convolution whose weights begin near zero, trained beside the student. The
    code's ends in a ReLU, as its VGG features do; those of a pyramid have both signs.

    Args:
        levels: for each level, by name, the channels of student and teacher.
        threshold: share of the best overlap.

    Shape:
        student, teacher: by the name of the level, (N, C, H, W) of its channels, other names are left alone; boxes: for
        each image (M, 4), M may be 0; anchors: by the name of the level, (A, 4), row by row, those of a position beside
        one another, both left, top, right, bottom in pixels of the batch; importance: (N,), (L, 1), (L, N), a scalar or
        None; returns a scalar.

    Raises:
        UsageError: for no level, a level that is missing or of another shape, named with both shapes, anchors that do
            not fit its positions, or a threshold outside [0, 1).

    Example:
        >>> loss = FGFILoss({"p3": (8, 16)})
        >>> student, teacher = {"p3": torch.randn(1, 8, 1, 2)}, {"p3": torch.randn(1, 16, 1, 2)}
        >>> anchors = {"p3": torch.tensor([[0.0, 0.0, 8.0, 8.0], [8.0, 0.0, 16.0, 8.0]])}
        >>> loss(student, teacher, [torch.tensor([[1.0, 0.0, 7.0, 6.0]])], anchors).shape
        torch.Size([])
    """

    paper = Paper(
        title="Distilling Object Detectors with Fine-grained Feature Imitation",
        authors="T. Wang, L. Yuan, X. Zhang, J. Feng",
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1906.03609",
        code="twangnh/Distilling-Object-Detectors",
    )

    def __init__(self, levels: Mapping[str, tuple[int, int]], *, threshold: float = 0.5) -> None:
        super().__init__()
        check_levels(levels)
        check_threshold(threshold)
        self.levels = dict(levels)
        self.threshold = threshold
        self.adapters = nn.ModuleList(_adapter(*channels) for channels in self.levels.values())

    def forward(
        self,
        student: Mapping[str, Tensor],
        teacher: Mapping[str, Tensor],
        boxes: Sequence[Tensor],
        anchors: Mapping[str, Tensor],
        importance: Tensor | None = None,
    ) -> Tensor:
        pairs = level_pairs(student, teacher, self.levels)
        check_boxes(boxes, len(pairs[0][0]))
        shapes = [theirs.shape for _, theirs in pairs]
        placed = [_placed(anchors, name, shape[2:]) for name, shape in zip(self.levels, shapes, strict=True)]
        near = near_anchors(torch.cat(placed), boxes, threshold=self.threshold)
        masks = [
            each.view(len(near), *shape[2:], -1).any(3)
            for each, shape in zip(torch.split(near, [len(each) for each in placed], 1), shapes, strict=True)
        ]
        adapted = [adapter(ours) for adapter, (ours, _) in zip(self.adapters, pairs, strict=True)]
        return fgfi_loss(adapted, [theirs for _, theirs in pairs], masks, importance)

    def extra_repr(self) -> str:
        return f"{', '.join(self.levels)}, threshold={self.threshold}"


def _adapter(student_channels: int, teacher_channels: int) -> nn.Module:
    adapter = nn.Conv2d(student_channels, teacher_channels, 3, padding=1)
    nn.init.trunc_normal_(adapter.weight, std=1e-4, a=-2e-4, b=2e-4)
    if adapter.bias is not None:
        nn.init.zeros_(adapter.bias)
    return adapter


def _squares(student: Tensor, teacher: Tensor, near: Tensor) -> Tensor:
    """(N,): the squares of each image over the positions that count."""
    check_same_shape(student, teacher, channels_fix="use FGFILoss, which owns an adapter")
    check_same_grid(student, teacher)
    expected = (len(teacher), *teacher.shape[2:])
    if near.dtype != torch.bool or tuple(near.shape) != expected:
        raise UsageError(
            f"expected near positions as bool of shape {expected}, got {near.dtype} of shape {tuple(near.shape)}: "
            "pass whether any anchor of a position is near"
        )
    squares = (precise(teacher.detach()) - precise(student)).square().sum(1)
    return torch.where(near, squares, 0.0).flatten(1).sum(1)


def _placed(anchors: Mapping[str, Tensor], name: str, grid: Sequence[int]) -> Tensor:
    rows, columns = grid
    count = len(anchors[name]) if name in anchors else 0
    if not count or count % (rows * columns):
        raise UsageError(
            f"expected anchors of level {name!r} at each of {rows} x {columns} positions, got {count}: "
            "pass {name: (A, 4)}, A a multiple of the positions"
        )
    return anchors[name]
