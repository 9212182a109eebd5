"""What a detector shows: the batch that it saw, what its heads said, and its own losses.

Legend: N images, L levels of the pyramid, A anchors of all levels, K classes, P proposals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pupil.errors import UsageError, unknown
from pupil.functional.importance import Granularity, teacher_task_loss

Targets = Sequence[Mapping[str, Tensor]]


@dataclass(frozen=True)
class Normalization:
    """What two detectors have to agree on to see one batch: the mean, the deviation, and what sides are multiples of.

    Example:
        >>> Normalization((0.0,), (1.0,), 32).check(Normalization((0.5,), (1.0,), 32))
        Traceback (most recent call last):
        ...
        pupil.errors.UsageError: expected detectors whose transforms agree, got image_mean (0.5,) of the student and \
(0.0,) of the teacher: build one of them with the other's
    """

    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    size_divisible: int

    @classmethod
    def of(cls, transform: Any) -> Normalization:
        """That of a torchvision transform."""
        return cls(tuple(transform.image_mean), tuple(transform.image_std), int(transform.size_divisible))

    def check(self, student: Normalization) -> None:
        """Refuse a batch that another transform made."""
        for name, mine in vars(self).items():
            theirs = getattr(student, name)
            if theirs != mine:
                raise UsageError(
                    f"expected detectors whose transforms agree, got {name} {theirs} of the student and {mine} of the "
                    "teacher: build one of them with the other's"
                )


@dataclass(frozen=True)
class ImageBatch:
    """Images as a detector's transform made them: normalised, resized and padded to one size.

    It has the two attributes of torchvision's `ImageList`, and stands in for one.

    Args:
        tensors: (N, 3, H, W).
        image_sizes: (height, width) of each image inside the padding.
        normalization: of the transform that made it.
        proposals: the boxes (P, 4) that a two-stage student was trained on, by image, so that a teacher can be asked
            about the same ones.
    """

    tensors: Tensor
    image_sizes: list[tuple[int, int]]
    normalization: Normalization
    proposals: tuple[Tensor, ...] | None = None

    @classmethod
    def of(cls, images: Any, transform: Any) -> ImageBatch:
        """The batch (torchvision's `ImageList`) that a transform of torchvision's has made."""
        return cls(images.tensors, images.image_sizes, Normalization.of(transform))

    def __len__(self) -> int:
        return len(self.image_sizes)


@dataclass(frozen=True)
class TaskLosses:
    """A detector's own losses, image by image: how well it fits the labels.

    Args:
        levels: parts that belong to a level of the pyramid, by name, (L, N) each; over the levels they add up to the
            image's loss. SSD mines its negatives over all levels at once: its parts are (1, N).
        shared: parts without a level, by name, (N,) each: those of a two-stage detector's second stage.

    Example:
        >>> TaskLosses({"classification": torch.ones(5, 2), "bbox_regression": torch.ones(5, 2)}).level_loss.shape
        torch.Size([5, 2])
    """

    levels: Mapping[str, Tensor]
    shared: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def level_loss(self) -> Tensor:
        """The sum of the parts that have a level, (L, N)."""
        return torch.stack(list(self.levels.values())).sum(0)

    @property
    def shared_loss(self) -> Tensor | None:
        """The sum of the parts without one, (N,), or None where there are none."""
        return torch.stack(list(self.shared.values())).sum(0) if self.shared else None

    def scaled(self, factors: Mapping[str, float]) -> TaskLosses:
        """The parts times their factors; those without one as they are.

        Raises:
            UsageError: for the factor of a part that is none.

        Example:
            >>> losses = TaskLosses({"classification": torch.ones(5, 2), "bbox_ctrness": torch.ones(5, 2)})
            >>> losses.scaled({"bbox_ctrness": 0.0}).level_loss[0]
            tensor([1., 1.])
        """
        for name in factors:
            if name not in {**self.levels, **self.shared}:
                raise unknown("loss of the teacher", name, [*self.levels, *self.shared])
        levels, shared = (
            {name: loss * factors[name] if name in factors else loss for name, loss in parts.items()}
            for parts in (self.levels, self.shared)
        )
        return TaskLosses(levels, shared)

    def at(self, granularity: Granularity) -> Tensor:
        """The loss of each level and image (L, N), level (L, 1), image (N,) or of the batch ().

        Example:
            >>> TaskLosses({"classification": torch.ones(5, 2)}, {"box": torch.full((2,), 3.0)}).at("image")
            tensor([8., 8.])
        """
        return teacher_task_loss(self.level_loss, self.shared_loss, granularity=granularity)


@dataclass(frozen=True)
class DetectorRecord:
    """The output of a detector's call.

    Args:
        levels: names of the pyramid's levels, in order; each is a feature of the activations.
        head: what the heads said, by torchvision's names. Dense: "cls_logits" (N, A, K), "bbox_regression" (N, A, 4)
            and, for FCOS, "bbox_ctrness" (N, A, 1). Two-stage: "class_logits" (P, K) and "box_regression" (P, 4 K) of
            the proposals of all images.
        anchors: how many of a dense detector's A rows belong to each level.
        losses: the detector's own, scalars by name, as `model(images, targets)` returns them; only in training.
        two_stage: whether the heads speak of proposals, which belong to no level; it chooses the published factors.
        proposals: those that the head of a two-stage detector was asked about, (P, 4) by image.
        task_losses: the losses of a teacher, image by image, where they were asked for.
    """

    levels: tuple[str, ...]
    head: Mapping[str, Tensor] = field(default_factory=dict)
    anchors: tuple[int, ...] = ()
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    two_stage: bool = False
    proposals: tuple[Tensor, ...] | None = None
    task_losses: TaskLosses | None = None

    def by_level(self, name: str) -> list[Tensor]:
        """A dense head's output level by level, (N, anchors of the level, ...) each.

        Example:
            >>> record = DetectorRecord(("p3", "p4"), {"cls_logits": torch.zeros(2, 20, 3)}, anchors=(16, 4))
            >>> [tuple(each.shape) for each in record.by_level("cls_logits")]
            [(2, 16, 3), (2, 4, 3)]
        """
        if not self.anchors:
            raise UsageError(
                "expected a record with the anchors of each level, got none: a two-stage head has no levels"
            )
        if name not in self.head:
            raise unknown("output", name, self.head)
        return list(torch.split(self.head[name], list(self.anchors), dim=1))
