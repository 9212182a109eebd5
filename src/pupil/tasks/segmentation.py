"""Semantic segmentation: one class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.resizing import resized
from pupil.lesson import Activations, Inputs, Kind, Lesson
from pupil.tasks.answers import AUXILIARY, asked, class_logits
from pupil.tasks.segmentation_loss import SegmentationLoss
from pupil.tasks.segmentation_metrics import SegmentationMetrics


class SegmentationTask:
    """Semantic segmentation: how to call a network, train it, and count at the label's own resolution.

    Logits may come at any stride; they are resized (bilinear) to the labels, never the labels to them.

    Args:
        classes: names of the classes.
        ignore_index: label of pixels that count for nothing, in the loss and in the metrics.
        colours: one (red, green, blue) a class, for pictures.
        size: (H, W) that the network sees at prediction; None means the image's own.
        window: (H, W) of a sliding window with half overlap at prediction; None means the whole image.
        objective: options of :class:`~pupil.tasks.segmentation_loss.SegmentationLoss`.

    Example:
        >>> task = SegmentationTask(["road", "car"])
        >>> task.predict(nn.Conv2d(3, 2, 1), torch.rand(1, 3, 8, 12)).shape
        torch.Size([1, 8, 12])
    """

    name = "segmentation"
    metric = "miou"
    kind: Kind = "dense"

    def __init__(
        self,
        classes: Sequence[str],
        *,
        ignore_index: int = 255,
        colours: Sequence[Sequence[int]] | None = None,
        size: tuple[int, int] | None = None,
        window: tuple[int, int] | None = None,
        objective: Mapping[str, Any] | None = None,
    ) -> None:
        if len(classes) < 2:
            raise UsageError(f"expected at least two classes, got {list(classes)}: name them with --classes")
        self.classes: Sequence[str] = tuple(classes)
        self.ignore_index = ignore_index
        self.colours = colours
        self.size = size
        self.window = window
        self.options = dict(objective or {})

    @property
    def legend(self) -> Mapping[str, Sequence[int]]:
        """The colour of each class in pictures."""
        return dict(zip(self.classes, self.colours or (), strict=bool(self.colours)))

    def call(self, model: nn.Module, image: Tensor, target: Any = None) -> Activations:
        """Normalise as the network expects, run it, and name the logits and the auxiliary logits.

        Shape:
            image: (N, 3, H, W), RGB in [0, 1]; output: (N, K, h, w), at the network's own stride.
        """
        logits, auxiliary = class_logits(model, asked(model, image), self.classes)
        if logits.dim() != 4 or logits.shape[1] != len(self.classes):
            raise UsageError(
                f"expected logits (N, {len(self.classes)}, h, w) for {len(self.classes)} classes, "
                f"got {tuple(logits.shape)} from {type(model).__name__}: build it with that many classes"
            )
        if auxiliary is not None and (auxiliary.dim() != 4 or auxiliary.shape[1] != len(self.classes)):
            raise UsageError(
                f"expected auxiliary logits (N, {len(self.classes)}, h, w), got {tuple(auxiliary.shape)} from "
                f"{type(model).__name__}: return a dict {{'out': logits}} if they are something else"
            )
        return Activations(logits, {} if auxiliary is None else {AUXILIARY: auxiliary})

    def objective(self, **options: Any) -> tuple[nn.Module, Inputs]:
        """Cross-entropy at the label's resolution; `options` override the task's own."""
        settings = {**self.options, **options}
        return SegmentationLoss(len(self.classes), ignore_index=self.ignore_index, **settings), _labelled

    @torch.no_grad()
    def predict(self, model: nn.Module, image: Tensor) -> Tensor:
        """Class ids (N, H, W) uint8 or int64, at the size of the image (N, 3, H, W) as it came."""
        original = image.shape[-2:]
        if self.size is not None and tuple(original) != tuple(self.size):
            image = F.interpolate(image, size=self.size, mode="bilinear", antialias=True)
        logits = self.call(model, image).output if self.window is None else self._windows(model, image, self.window)
        # With the classes of a pixel side by side, a CPU finds the largest one several times sooner.
        logits = logits.contiguous(memory_format=torch.channels_last)
        ids = resized(logits, original).argmax(dim=1)
        return ids.to(torch.uint8) if len(self.classes) < 256 else ids

    def metrics(self) -> SegmentationMetrics:
        """A fresh confusion matrix: mIoU, pixel and class accuracy."""
        return SegmentationMetrics(self.classes, self.ignore_index)

    def draw(self, image: Tensor, prediction: Tensor, target: Tensor | None = None) -> Tensor:
        """The classes painted over the image; with a target, both stand side by side.

        Shape:
            image: (3, H, W) in [0, 1]; prediction, target: (H, W) ids; picture: (3, H, W or 2 W) uint8.
        """
        if self.colours is None:
            raise UsageError("expected colours to draw with, got none: pass colours=... to SegmentationTask")
        palette = torch.tensor(self.colours, dtype=torch.float32)
        pictures = [self._painted(image, ids, palette) for ids in (target, prediction) if ids is not None]
        return torch.cat(pictures, dim=2)

    def _painted(self, image: Tensor, ids: Tensor, palette: Tensor) -> Tensor:
        ids = ids.long().cpu()
        known = (ids < len(self.classes)) & (ids != self.ignore_index)
        # The ignored label may be any number, -100 too.
        paint = palette[ids.clamp(0, len(self.classes) - 1)].permute(2, 0, 1)
        mixed = torch.where(known, 0.35 * image.cpu() * 255 + 0.65 * paint, image.cpu() * 255)
        return mixed.round().clamp(0, 255).to(torch.uint8)

    def _windows(self, model: nn.Module, image: Tensor, window: tuple[int, int]) -> Tensor:
        """Logits averaged over windows that overlap by half."""
        height, width = image.shape[-2:]
        rows, columns = min(window[0], height), min(window[1], width)
        total = image.new_zeros(image.shape[0], len(self.classes), height, width)
        count = image.new_zeros(1, 1, height, width)
        for top in _starts(height, rows):
            for left in _starts(width, columns):
                place = (..., slice(top, top + rows), slice(left, left + columns))
                total[place] += resized(self.call(model, image[place]).output, (rows, columns))
                count[place] += 1
        return total / count


def _labelled(lesson: Lesson) -> tuple[Tensor, Tensor, Tensor | None]:
    return lesson.student.output, lesson.target, lesson.student.features.get(AUXILIARY)


def _starts(length: int, window: int) -> list[int]:
    last = length - window
    return sorted({*range(0, last, max(1, window // 2)), last})
