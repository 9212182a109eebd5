"""Object detection: where each object is, and what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pupil.errors import UsageError, listed, unknown
from pupil.lesson import Activations, Inputs, Kind, Lesson
from pupil.tasks.class_matching import matching, names_of
from pupil.tasks.detection.calls import detector_call
from pupil.tasks.detection.drawing import enlarged, factor_to_read, pixels, with_boxes
from pupil.tasks.detection.own_call import attached_call
from pupil.tasks.detection_metrics import SCORES, DetectionMetrics

Boxes = Mapping[str, Tensor]
SCORE = 0.5


class DetectionTask:
    """Object detection with torchvision's detectors, or any that brings its own call.

    Args:
        classes: names of the classes, without the background; label 1 is the first.
        metric: "coco", "voc" or "kitti": how predictions are scored.
        colours: one (red, green, blue) a class, for pictures.
        objective: options of :class:`DetectionLoss`.
        score: of a predicted box, from which on pictures show it.

    Example:
        >>> from torchvision.models.detection import ssdlite320_mobilenet_v3_large
        >>> task = DetectionTask(["car", "person"], metric="voc")
        >>> model = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3).eval()
        >>> sorted(task.predict(model, [torch.rand(3, 40, 60)])[0])
        ['boxes', 'labels', 'scores']
    """

    name = "detection"
    kind: Kind = "boxes"

    def __init__(
        self,
        classes: Sequence[str],
        *,
        metric: str = "coco",
        colours: Sequence[Sequence[int]] | None = None,
        objective: Mapping[str, Any] | None = None,
        score: float = SCORE,
    ) -> None:
        if metric not in SCORES:
            raise unknown("metric", metric, SCORES)
        if not classes:
            raise UsageError("expected at least one class, got none: name what is to be found, without the background")
        if not 0 <= score <= 1:
            raise UsageError(f"expected a score from 0 to 1 of the boxes to be drawn, got {score:g}: {SCORE} is usual")
        self.classes: Sequence[str] = tuple(classes)
        self.benchmark = metric
        self.colours = colours
        self.options = dict(objective or {})
        self.score = score

    @property
    def metric(self) -> str:
        """The score that stands in a results table: map, map_50 or ap_moderate."""
        return SCORES[self.benchmark]

    @property
    def legend(self) -> Mapping[str, Sequence[int]]:
        """The colour of each class in pictures."""
        return dict(zip(self.classes, self.colours or (), strict=bool(self.colours)))

    def call(self, model: nn.Module, image: Any, target: Any = None) -> Activations:
        """Run a detector, and name the levels of its pyramid and what its heads say; by its own call if it carries one.

        Shape:
            image: a list of (3, H, W) in [0, 1], or the batch that a student's call has transformed; target: one dict
            an image; output: a :class:`~pupil.tasks.detection.records.DetectorRecord`.
        """
        return detector_call(model)(model, image, target)

    def objective(self, **options: Any) -> tuple[nn.Module, Inputs]:
        """The sum of the detector's own losses; `options` override the task's own."""
        return DetectionLoss(**{**self.options, **options}), _own_losses

    @torch.no_grad()
    def predict(self, model: nn.Module, image: Any) -> list[dict[str, Tensor]]:
        """Boxes (M, 4) in pixels of each image as it came, their labels (M,), and scores (M,), best first.

        Of a detector that knows more classes, or has them in another order, those of the task, by name.

        Raises:
            UsageError: for a detector in training, one that lacks a class, or one that answers in another form.
        """
        if model.training:
            raise UsageError("expected a detector in evaluation mode, got one in training: call model.eval()")
        theirs = names_of(model) or self.classes
        order = matching(theirs, self.classes) or range(len(theirs))
        # One-stage heads of torchvision's have a channel for the background, which may win a box: it is left out.
        lowest = 0 if attached_call(model) is None else 1
        found = _checked(model(list(image)), len(image), (lowest, len(theirs)), type(model).__name__)
        return [_of_classes(each, order, len(theirs)) for each in found]

    def metrics(self) -> DetectionMetrics:
        """Fresh scores of the benchmark."""
        return DetectionMetrics(self.classes, self.benchmark)

    def draw(self, image: Tensor, prediction: Boxes, target: Boxes | None = None) -> Tensor:
        """The boxes of at least the task's score over the image; with a target, both side by side, the target first.

        Shape:
            image: (3, H, W) in [0, 1]; prediction, target: one image's; picture: (3, H, W or 2 W) uint8.
        """
        pictures = [self._painted(image, boxes) for boxes in (target, prediction) if boxes is not None]
        return torch.cat(pictures, dim=2)

    def overlay(self, image: Tensor, prediction: Boxes) -> Tensor:
        """The boxes of at least the task's score, each with its class and score, to be looked at by itself.

        Shape:
            image: (3, H, W) in [0, 1]; picture: (3, f H, f W) uint8, f > 1 where the image is small.
        """
        return self._painted(image, prediction, factor_to_read(*image.shape[1:]), named=True)

    def drawn(self, boxes: Boxes) -> Tensor:
        """Which of one image's boxes pictures show, (M,): objects with a class, and predictions sure enough.

        A detector may find boxes without area.
        """
        corners = boxes["boxes"].as_subclass(Tensor)
        shown = (boxes["labels"] > 0) & (corners[:, 2:] > corners[:, :2]).all(1)
        return shown & (boxes["scores"] >= self.score) if "scores" in boxes else shown

    def _painted(self, image: Tensor, boxes: Boxes, factor: int = 1, named: bool = False) -> Tensor:
        if self.colours is None:
            raise UsageError("expected colours to draw with, got none: pass colours=... to DetectionTask")
        picture, shown = pixels(enlarged(image, factor) if factor > 1 else image), self.drawn(boxes)
        labels = [label - 1 for label in boxes["labels"][shown].tolist()]
        names = [self.classes[label] for label in labels]
        if named and "scores" in boxes:
            scores = boxes["scores"][shown].tolist()
            names = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)]
        corners = boxes["boxes"].as_subclass(Tensor)[shown].cpu() * factor
        return with_boxes(picture, corners, [self.colours[label] for label in labels], names if named else ())


class DetectionLoss(nn.Module):
    """The sum of a detector's own losses.

    L = sum of weight_k L_k over the losses that the detector names

    Args:
        weights: of losses by name; those not named have weight 1.

    Shape:
        losses: scalars by name; returns a scalar.

    Raises:
        UsageError: for a weight of a loss that the detector has not.

    Example:
        >>> losses = {"classification": torch.tensor(1.0), "bbox_regression": torch.tensor(2.0)}
        >>> DetectionLoss(weights={"bbox_regression": 0.5})(losses)
        tensor(2.)
    """

    def __init__(self, *, weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.weights = dict(weights or {})

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        for name in self.weights:
            if name not in losses:
                raise unknown("loss", name, losses)
        return torch.stack([self.weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()

    def extra_repr(self) -> str:
        return f"weights={self.weights}" if self.weights else ""


def _of_classes(found: Boxes, order: Sequence[int], classes: int) -> dict[str, Tensor]:
    """The boxes of some of a detector's classes, numbered anew in their order."""
    numbers = torch.zeros(classes + 1, dtype=torch.int64)
    numbers[torch.tensor(order) + 1] = torch.arange(1, len(order) + 1)
    labels = numbers.to(found["labels"].device)[found["labels"]]
    return {name: values[labels > 0] for name, values in {**found, "labels": labels}.items()}


def _checked(found: Any, images: int, labelled: tuple[int, int], name: str) -> list[dict[str, Tensor]]:
    """What a detector found, once it is known to be boxes, labels and scores of each image."""
    advice = "a dict of boxes (M, 4), labels (M,) from 1 and scores (M,) for each image"
    if not isinstance(found, list | tuple) or len(found) != images:
        got = f"{len(found)} of them" if isinstance(found, list | tuple) else type(found).__name__
        raise UsageError(f"expected a list for {images} images from {name} in evaluation mode, got {got}: {advice}")
    for each in found:
        if not isinstance(each, Mapping) or not {"boxes", "labels", "scores"} <= each.keys():
            got = listed(each, 8) if isinstance(each, Mapping) else type(each).__name__
            raise UsageError(f"expected boxes, labels and scores from {name} in evaluation mode, got {got}: {advice}")
        labels = each["labels"]
        if ((labels < labelled[0]) | (labels > labelled[1])).any():
            raise UsageError(
                f"expected labels from 1 to {labelled[1]} from {name}, got {int(labels.min())} to {int(labels.max())}: "
                "0 is the background, which is no class"
            )
    return list(found)


def _own_losses(lesson: Lesson) -> tuple[Mapping[str, Tensor]]:
    return (lesson.student.output.losses,)
