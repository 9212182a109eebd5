"""Feature-based distillation of detectors (FBKD): attention-guided, attention transfer and non-local, at each level.

Legend: N images, C channels, H x W positions, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.attention_masks import Variant
from pupil.functional.importance import importance_of_levels
from pupil.functional.levels import level_pairs
from pupil.functional.norms import Reduction
from pupil.losses.attention_guided import AttentionGuidedLoss
from pupil.losses.attention_transfer import AttentionTransferLoss
from pupil.losses.non_local import NonLocalLoss


@dataclass(frozen=True)
class Setting:
    """The published numbers of one kind of detector.

    Args:
        temperature: of the masks of :class:`AttentionGuidedLoss`.
        feature_weight: factor of :class:`AttentionGuidedLoss`.
        channel_weight: factor of the channels of :class:`AttentionTransferLoss`.
        spatial_weight: factor of the positions of :class:`AttentionTransferLoss`.
        relation_weight: factor of :class:`NonLocalLoss`.
        channel_mask: whether :class:`AttentionGuidedLoss` masks channels too.
    """

    temperature: float
    feature_weight: float
    channel_weight: float
    spatial_weight: float
    relation_weight: float
    channel_mask: bool = True


# The norms are not divided by the size of what they measure. These factors belong to maps of 256 channels of images of
# 800 x 1333, and to reduction="batch_norm" with about 2 images a GPU (8 in the runs of AID): "image_mean" needs
# sqrt(images a GPU) times as much for the same pull.
SETTINGS: Mapping[str, Setting] = {
    # ICLR 2021; the first is also AID's baseline for GFL.
    "one_stage": Setting(0.1, 4.2e-4, 2.4e-2, 2.4e-2, 4.2e-4),
    "two_stage": Setting(0.5, 7e-5, 4e-3, 4e-3, 7e-5, channel_mask=False),
    # The released runs with AID, for GFL and Faster R-CNN, and the latter's baseline: the gain is not AID's alone.
    "aid_one_stage": Setting(0.1, 5.6e-4, 2.4e-2, 2.4e-2, 4.9e-4),
    "aid_two_stage": Setting(0.5, 4e-5, 8e-3, 8e-3, 4e-5),
    "aid_two_stage_baseline": Setting(0.5, 4e-5, 2e-3, 2e-3, 2e-5),
}


class FBKDLoss(nn.Module):
    """The features of every level of a pyramid follow the teacher's, in place, in summary and in relation.

    L = sum over levels of feature_weight L_AM + channel_weight L_channels + spatial_weight L_positions
                           + relation_weight L_NLD

    L_AM is :func:`attention_guided_loss`, L_channels and L_positions are the parts of
    :func:`attention_transfer_loss`, L_NLD is :func:`non_local_loss`. A level has its own adapters and blocks, which are
    trained beside the student and stay behind.

    Args:
        levels: for each level, by name and from the largest map on, the channels of student and teacher.
        setting: temperature and factors; ``SETTINGS`` of :mod:`pupil.losses.fbkd` holds the published ones.
        inner_channels: channels in which positions of a level are compared; further levels take the last.
        pools: by how much a level is pooled for that; further levels take the last.
        variant: "code" or "paper", of masks and attention transfer.
        reduction: "image_mean" or "batch_norm", see :func:`pupil.functional.norms.weighted_norm`.
        train_teacher_block: False holds the targets of the relations still.

    Shape:
        student, teacher: by the name of the level, (N, C, H, W) of its channels, other names are left alone;
        importance: (N,), (L, 1), (L, N), a scalar or None; returns a scalar.

    Raises:
        UsageError: for no level, a level that is missing or of another shape, named with both shapes, or unknown
            settings.

    Reference:
        L. Zhang, K. Ma, "Improve Object Detection with Feature-based Knowledge Distillation", ICLR 2021. The default is
        the code of lanqz7766/AID, but with one norm an image in place of one over the batch: "batch_norm" is the code.

    Example:
        >>> loss = FBKDLoss({"p3": (8, 16), "p4": (8, 16)}, inner_channels=[4])
        >>> student = {"p3": torch.randn(2, 8, 8, 8), "p4": torch.randn(2, 8, 4, 4)}
        >>> teacher = {"p3": torch.randn(2, 16, 8, 8), "p4": torch.randn(2, 16, 4, 4)}
        >>> loss(student, teacher, importance=torch.tensor([1.0, 0.5])).shape
        torch.Size([])
    """

    paper = AttentionGuidedLoss.paper

    def __init__(
        self,
        levels: Mapping[str, tuple[int, int]],
        setting: Setting = SETTINGS["one_stage"],
        *,
        inner_channels: Sequence[int] = (64, 64, 128, 128, 128),
        pools: Sequence[int] = (8, 4, 2, 2, 2),
        variant: Variant = "code",
        reduction: Reduction = "image_mean",
        train_teacher_block: bool = True,
    ) -> None:
        super().__init__()
        if not levels or not inner_channels or not pools:
            raise UsageError(
                "expected a level, its inner channels and its pool, got none: pass {name: (student's channels, "
                "teacher's channels)} and leave the other two as they are"
            )
        self.levels = dict(levels)
        self.setting = setting
        self.parts = nn.ModuleList(
            nn.ModuleDict(
                {
                    "feature": AttentionGuidedLoss(
                        *channels,
                        temperature=setting.temperature,
                        channel_mask=setting.channel_mask,
                        variant=variant,
                        reduction=reduction,
                    ),
                    "attention": AttentionTransferLoss(
                        *channels,
                        channel_weight=setting.channel_weight,
                        spatial_weight=setting.spatial_weight,
                        variant=variant,
                        reduction=reduction,
                    ),
                    "relation": NonLocalLoss(
                        *channels,
                        inner_channels=inner_channels[min(index, len(inner_channels) - 1)],
                        pool=pools[min(index, len(pools) - 1)],
                        train_teacher_block=train_teacher_block,
                        reduction=reduction,
                    ),
                }
            )
            for index, channels in enumerate(self.levels.values())
        )

    def forward(
        self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], importance: Tensor | None = None
    ) -> Tensor:
        pairs = level_pairs(student, teacher, self.levels)
        rows: Sequence[Tensor | None] = [None] * len(pairs)
        if importance is not None:
            rows = importance_of_levels(importance, len(pairs), len(pairs[0][0]))
        terms = [self._level(*each) for each in zip(self.parts, pairs, rows, strict=True)]
        return torch.stack(terms).sum()

    def _level(self, parts: nn.Module, pair: tuple[Tensor, Tensor], importance: Tensor | None) -> Tensor:
        feature, attention, relation = (part(*pair, importance) for part in parts.children())
        loss: Tensor = self.setting.feature_weight * feature + attention + self.setting.relation_weight * relation
        return loss

    def extra_repr(self) -> str:
        return f"{', '.join(self.levels)}, {self.setting}"
