"""FGD: the student's pyramid follows the teacher's where objects are and where the teacher looks, and as a whole.

Legend: N images, C channels, H x W positions, M boxes, L levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from pupil.functional.attention_masks import channel_attention, softmax_mask, spatial_attention
from pupil.functional.box_masks import Variant, check_boxes, paint_boxes
from pupil.functional.checks import check_choice, check_same_grid, check_same_shape, check_trains_a_block
from pupil.functional.importance import importance_of_levels
from pupil.functional.levels import check_levels, level_pairs, weighted_mean
from pupil.functional.precision import precise
from pupil.networks.global_context import GlobalContextBlock
from pupil.paper import Paper


@dataclass(frozen=True)
class Setting:
    """The published numbers of one kind of detector.

    Args:
        temperature: of the masks.
        foreground_weight: factor of the squares inside boxes.
        background_weight: factor of the squares outside.
        attention_weight: factor of the distance of the masks.
        relation_weight: factor of the squares behind the global context blocks.
    """

    temperature: float
    foreground_weight: float
    background_weight: float
    attention_weight: float
    relation_weight: float


# Of the released runs, for maps of 256 channels of images of 800 x 1333. Nothing is divided by the size of a map.
SETTINGS: Mapping[str, Setting] = {
    "retinanet": Setting(0.5, 1e-3, 5e-4, 5e-4, 5e-6),
    "gfl": Setting(0.5, 1e-3, 5e-4, 5e-4, 5e-6),
    "solo": Setting(0.5, 1e-3, 5e-4, 5e-4, 5e-6),
    "fcos": Setting(0.8, 1.6e-3, 8e-4, 8e-4, 8e-6),
    "reppoints": Setting(0.5, 1.6e-3, 8e-4, 8e-4, 8e-6),
    "faster_rcnn": Setting(0.5, 5e-5, 2.5e-5, 5e-5, 5e-7),
    "mask_rcnn": Setting(0.5, 5e-5, 2.5e-5, 5e-5, 5e-7),
}


def fgd_loss(
    student: Tensor,
    teacher: Tensor,
    boxes: Sequence[Tensor],
    image_size: tuple[int, int],
    importance: Tensor | None = None,
    *,
    student_block: Callable[[Tensor], Tensor],
    teacher_block: Callable[[Tensor], Tensor],
    setting: Setting = SETTINGS["retinanet"],
    variant: Variant = "paper",
) -> Tensor:
    """Focal and global distillation of one level: squares that count by object, by attention, and with their context.

    L = mean over images of importance_i (
        sum over c, h, w of (foreground_weight F_hw + background_weight B_hw) mask_hw mask_c (teacher - student)²
        + attention_weight (||mask_hw(teacher) - mask_hw(student)||_1 + ||mask_c(teacher) - mask_c(student)||_1)
        + relation_weight ||teacher_block(teacher) - student_block(student)||²)

    F is 1 / (height width) of the smallest box at a position, in positions, so that large objects count no more than
    small ones; B is 1 / the number of positions outside all boxes, there. mask_hw and mask_c are the teacher's: a
    softmax of its mean |f| / temperature, scaled to the mean 1. An image without boxes is background everywhere. The
    value grows with C H W, and with the square of the features.

    Args:
        student: feature of the student, of the teacher's channels.
        teacher: feature of the teacher; it gets no gradient, but its block does.
        boxes: for each image (M, 4), left, top, right, bottom in pixels of the batch; M may be 0.
        image_size: (height, width) of the batch, padding included.
        importance: (N,) or a scalar, how much an image counts; None counts each fully.
        student_block: adds the context to the student's feature, a :class:`GlobalContextBlock`.
        teacher_block: adds the context to the teacher's.
        setting: temperature and factors; ``SETTINGS`` of :mod:`pupil.losses.fgd` holds the published ones.
        variant: what a box covers, see :func:`pupil.functional.box_masks.paint_boxes`.

    Shape:
        student, teacher: (N, C, H, W); returns a scalar.

    Raises:
        UsageError: for features of different shapes, a feature made under inference_mode, boxes that do not fit the
            images, or an unknown variant.

    Reference:
        Z. Yang et al., "Focal and Global Knowledge Distillation for Detectors", CVPR 2022; code yzd-v/FGD. The default
        is the paper, whose F lies on the object. The code's box reaches one row and one column further, and its slices
        take x for rows and y for columns of a map (N, H, W), so that F lies on the mirrored place: "code" is that, with
        the factor 1, and what the published results come from. The code also stretches the boxes of an image over the
        whole map, padding included; here a pixel of the batch is a pixel.

    Example:
        >>> same, boxes = torch.nn.Identity(), [torch.tensor([[0.0, 0.0, 8.0, 16.0]])]
        >>> student, teacher = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2)
        >>> setting = Setting(0.5, 1.0, 0.5, 0.0, 0.0)
        >>> fgd_loss(student, teacher, boxes, (16, 16), student_block=same, teacher_block=same, setting=setting)
        tensor(6.)
    """
    check_same_shape(student, teacher, channels_fix="use FGDLoss, which owns an adapter")
    check_same_grid(student, teacher)
    check_trains_a_block(teacher)
    check_boxes(boxes, len(student))
    teacher = teacher.detach()
    relation = precise(teacher_block(teacher)) - precise(student_block(student))
    student, teacher = precise(student), precise(teacher)
    foreground = paint_boxes(boxes, _size(teacher), image_size, variant=variant).to(teacher.dtype)
    outside = (foreground == 0).to(teacher.dtype)
    background = outside / outside.sum((1, 2), keepdim=True).clamp(min=1)
    where = setting.foreground_weight * foreground + setting.background_weight * background
    ours, theirs = ([softmax_mask(look(each), setting.temperature) for look in _LOOKS] for each in (student, teacher))
    spatial, channel = theirs
    squares = (channel[:, :, None, None] * (teacher - student).square()).sum(1)
    loss = (where * spatial * squares).flatten(1).sum(1)
    for mine, mask in zip(ours, theirs, strict=True):
        loss = loss + setting.attention_weight * (mask - mine).abs().flatten(1).sum(1)
    return weighted_mean(loss + setting.relation_weight * relation.square().flatten(1).sum(1), importance)


class FGDLoss(nn.Module):
    """Focal and global distillation of a pyramid: the sum of :func:`fgd_loss` over its levels.

    A level has its own context blocks, and an adapter where the channels differ; they are trained beside the student
    and stay behind.

    Args:
        levels: for each level, by name, the channels of student and teacher.
        setting: temperature and factors; ``SETTINGS`` of :mod:`pupil.losses.fgd` holds the published ones.
        variant: what a box covers, "paper" or "code".

    Shape:
        student, teacher: by the name of the level, (N, C, H, W) of its channels, other names are left alone; boxes: for
        each image (M, 4), in pixels of the batch; image_size: (height, width) of the batch; importance: (N,), (L, 1),
        (L, N), a scalar or None; returns a scalar.

    Raises:
        UsageError: for no level, a level that is missing or of another shape, named with both shapes, or an unknown
            variant.

    Example:
        >>> loss = FGDLoss({"p3": (8, 16)}, SETTINGS["fcos"])
        >>> student, teacher = {"p3": torch.randn(2, 8, 6, 8)}, {"p3": torch.randn(2, 16, 6, 8)}
        >>> loss(student, teacher, [torch.tensor([[4.0, 8.0, 40.0, 30.0]]), torch.zeros(0, 4)], (48, 64)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Focal and Global Knowledge Distillation for Detectors",
        authors="Z. Yang, Z. Li, X. Jiang, Y. Gong, Z. Yuan, D. Zhao, C. Yuan",
        venue="CVPR",
        year=2022,
        url="https://arxiv.org/abs/2111.11837",
        code="yzd-v/FGD",
    )

    def __init__(
        self,
        levels: Mapping[str, tuple[int, int]],
        setting: Setting = SETTINGS["retinanet"],
        *,
        variant: Variant = "paper",
    ) -> None:
        super().__init__()
        check_choice("variant", variant, get_args(Variant))
        check_levels(levels)
        self.levels = dict(levels)
        self.setting = setting
        self.variant: Variant = variant
        self.parts = nn.ModuleList(
            nn.ModuleDict(
                {
                    "adapter": nn.Identity() if ours == theirs else nn.Conv2d(ours, theirs, 1),
                    "student_block": GlobalContextBlock(theirs),
                    "teacher_block": GlobalContextBlock(theirs),
                }
            )
            for ours, theirs in self.levels.values()
        )

    def forward(
        self,
        student: Mapping[str, Tensor],
        teacher: Mapping[str, Tensor],
        boxes: Sequence[Tensor],
        image_size: tuple[int, int],
        importance: Tensor | None = None,
    ) -> Tensor:
        pairs = level_pairs(student, teacher, self.levels)
        rows: Sequence[Tensor | None] = [None] * len(pairs)
        if importance is not None:
            rows = importance_of_levels(importance, len(pairs), len(pairs[0][0]))
        terms = [
            self._level(part, pair, boxes, image_size, row)
            for part, pair, row in zip(self.parts, pairs, rows, strict=True)
        ]
        return torch.stack(terms).sum()

    def _level(
        self,
        part: nn.Module,
        pair: tuple[Tensor, Tensor],
        boxes: Sequence[Tensor],
        image_size: tuple[int, int],
        importance: Tensor | None,
    ) -> Tensor:
        adapter, student_block, teacher_block = part.children()
        student, teacher = pair
        return fgd_loss(
            adapter(student),
            teacher,
            boxes,
            image_size,
            importance,
            student_block=student_block,
            teacher_block=teacher_block,
            setting=self.setting,
            variant=self.variant,
        )

    def extra_repr(self) -> str:
        return f"{', '.join(self.levels)}, {self.setting}, variant={self.variant!r}"


_LOOKS = (spatial_attention, channel_attention)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]
