"""Classification: one class for every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.precision import precise
from pupil.lesson import Activations, Inputs, Kind, Lesson
from pupil.tasks.answers import AUXILIARY, asked, class_logits
from pupil.tasks.classification_loss import ClassificationLoss
from pupil.tasks.classification_metrics import ClassificationMetrics

SHOWN = 224  # pixels of a picture's shorter side, at least
LINE = 24  # pixels of a line of its caption


class ClassificationTask:
    """Classification: how to call a network, train it, and score the probabilities that it gives.

    Args:
        classes: names of the classes.
        objective: options of :class:`~pupil.tasks.classification_loss.ClassificationLoss`.

    Example:
        >>> task = ClassificationTask(["cat", "dog"])
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
        >>> task.predict(network, torch.rand(1, 3, 4, 4)).sum(dim=1)
        tensor([1.])
    """

    name = "classification"
    metric = "accuracy"
    kind: Kind = "whole"
    legend: Mapping[str, Sequence[int]] = {}

    def __init__(self, classes: Sequence[str], *, objective: Mapping[str, Any] | None = None) -> None:
        if len(classes) < 2:
            raise UsageError(f"expected at least two classes, got {list(classes)}: one folder of images a class")
        self.classes: Sequence[str] = tuple(classes)
        self.options = dict(objective or {})

    def call(self, model: nn.Module, image: Tensor, target: Any = None) -> Activations:
        """Normalise as the network expects, run it, and name the logits and the auxiliary logits.

        Shape:
            image: (N, 3, H, W), RGB in [0, 1]; output: (N, K).
        """
        logits, auxiliary = class_logits(model, asked(model, image), self.classes)
        if logits.dim() != 2 or logits.shape[1] != len(self.classes):
            raise UsageError(
                f"expected logits (N, {len(self.classes)}) for {len(self.classes)} classes, got {tuple(logits.shape)} "
                f"from {type(model).__name__}: build a classifier with that many classes"
            )
        return Activations(logits, {} if auxiliary is None else {AUXILIARY: auxiliary})

    def objective(self, **options: Any) -> tuple[nn.Module, Inputs]:
        """Cross-entropy; `options` override the task's own."""
        return ClassificationLoss(**{**self.options, **options}), _labelled

    @torch.no_grad()
    def predict(self, model: nn.Module, image: Tensor) -> Tensor:
        """The probability of each class, (N, K)."""
        return precise(self.call(model, image).output).softmax(dim=1)

    def metrics(self) -> ClassificationMetrics:
        """Fresh scores: accuracy, of each class too, top-5 accuracy, calibration error."""
        return ClassificationMetrics(self.classes)

    def draw(self, image: Tensor, prediction: Tensor, target: Tensor | None = None) -> Tensor:
        """The image above its class and how probable it is; with a target, above the right class too.

        Shape:
            image: (3, H, W) in [0, 1]; prediction: (K,) probabilities, or a class id; target: a class id; picture:
            (3, H', W') uint8, enlarged where the image is small.
        """
        from PIL import Image, ImageDraw, ImageFont

        lines = [self._caption(torch.as_tensor(prediction))]
        if target is not None:
            lines.append(f"is {self.classes[int(target)]}")
        factor = max(1, -(-SHOWN // min(image.shape[-2:])))
        pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)
        pixels = pixels.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
        width = pixels.shape[-1]
        caption = Image.new("RGB", (width, LINE * len(lines)), "white")
        pen, font = ImageDraw.Draw(caption), ImageFont.load_default(0.75 * LINE)
        for place, line in enumerate(lines):
            pen.text((2, place * LINE), line, fill="black", font=font)
        strip = torch.frombuffer(bytearray(caption.tobytes()), dtype=torch.uint8).view(caption.height, width, 3)
        return torch.cat([pixels, strip.permute(2, 0, 1)], dim=1)

    def _caption(self, prediction: Tensor) -> str:
        if prediction.dim() == 0:
            return str(self.classes[int(prediction)])
        best = int(prediction.argmax())
        return f"{self.classes[best]} {float(prediction[best]):.0%}"


def _labelled(lesson: Lesson) -> tuple[Tensor, Tensor, Tensor | None]:
    return lesson.student.output, lesson.target, lesson.student.features.get(AUXILIARY)
