"""The call that shows a detector to a distiller, by the class of the torchvision model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Activations, Call
from pupil.tasks.detection.family import Family, Head, Proposals, named_levels, watching
from pupil.tasks.detection.faster_rcnn import FASTER_RCNN
from pupil.tasks.detection.fcos import FCOS
from pupil.tasks.detection.records import DetectorRecord, ImageBatch, Normalization, Targets
from pupil.tasks.detection.retinanet import RETINANET
from pupil.tasks.detection.ssd import SSD


def detector_call(model: nn.Module, *, losses: bool = False) -> Call:
    """How to ask a detector: RetinaNet, FCOS, SSD, SSDLite, Faster, Mask or Keypoint R-CNN, with any backbone.

    Args:
        model: the detector. One of another family has a method `call(image, target)` that returns activations, and is
            asked by that.
        losses: whether a teacher also shows its own losses, image by image.

    Raises:
        UsageError: for another model.

    Example:
        >>> import torch
        >>> from torchvision.models.detection import ssdlite320_mobilenet_v3_large
        >>> model = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)
        >>> shown = detector_call(model.eval())(model, [torch.rand(3, 40, 60)], None)
        >>> shown.output.levels, tuple(shown.features["cls_logits"].shape)
        (('0', '1', '2', '3', '4', '5'), (1, 3234, 3))
    """
    from torchvision.models import detection

    families: dict[type, Family] = {
        detection.RetinaNet: RETINANET,
        detection.FCOS: FCOS,
        detection.ssd.SSD: SSD,
        detection.FasterRCNN: FASTER_RCNN,
    }
    if callable(getattr(model, "call", None)):
        return _own_call
    family = next((family for kind, family in families.items() if isinstance(model, kind)), None)
    if family is None:
        raise UsageError(
            f"expected one of torchvision's {', '.join(kind.__name__ for kind in families)}, got "
            f"{type(model).__name__}: pass one of them, or give it a method call(image, target) -> Activations"
        )
    return DetectorCall(family, losses)


@dataclass(frozen=True)
class DetectorCall:
    """Asks a detector of one family, unmodified.

    ====================================  ===========================================================================
    images as they come, in training      `model(images, targets)`, and what it showed on its way; its losses are
                                          those of torchvision, step for step
    images as they come, in evaluation    the model's transform, then as the next line
    :class:`ImageBatch`                   backbone and head on a batch that a student has transformed
    ====================================  ===========================================================================

    Features are the levels of the pyramid by the backbone's names, and what the heads said.

    Args:
        family: what is particular to the detector.
        losses: whether a batch that comes with targets also gets :class:`TaskLosses`, outside training.

    Raises:
        UsageError: in training without targets; for a batch that a transform with another mean, deviation or size
            divisor has made.
    """

    family: Family
    losses: bool = False

    def __call__(self, model: nn.Module, image: Any, target: Any = None) -> Activations:
        detector: Any = model
        if isinstance(image, ImageBatch):
            Normalization.of(detector.transform).check(image.normalization)
            return self._shown(detector, image, target)
        if model.training:
            return self._trained(detector, image, target)
        images, targets = detector.transform(image, target)
        return self._shown(detector, _batch(detector, images), targets)

    def _trained(self, model: Any, image: Any, target: Any) -> Activations:
        if target is None:
            raise UsageError("expected targets in training, got None: pass one dict of boxes and labels an image")
        modules = {"transform": model.transform, "backbone": model.backbone, **self.family.watched(model)}
        with watching(modules) as seen:
            losses = model(image, target)
        images, targets = seen["transform"].output
        head, proposals = self.family.said(seen)
        batch = replace(_batch(model, images), proposals=proposals)
        shown = self._activations(model, batch, targets, named_levels(seen["backbone"].output), head, proposals)
        return replace(shown, output=replace(shown.output, losses=losses))

    def _shown(self, model: Any, images: ImageBatch, targets: Targets | None) -> Activations:
        pyramid = named_levels(model.backbone(images.tensors))
        head = self.family.outputs(model, images, pyramid)
        shown = self._activations(model, images, targets, pyramid, head, images.proposals)
        if not self.losses or targets is None:
            return shown
        losses = self.family.task_losses(model, images, pyramid, head, targets)
        return replace(shown, output=replace(shown.output, task_losses=losses))

    def _activations(
        self,
        model: Any,
        images: ImageBatch,
        targets: Targets | None,
        pyramid: dict[str, Tensor],
        head: Head,
        proposals: Proposals,
    ) -> Activations:
        anchors = self.family.anchors(model, pyramid)
        record = DetectorRecord(tuple(pyramid), head, anchors, proposals=proposals)
        return Activations(record, {**pyramid, **head}, (images, targets))


def _batch(model: Any, images: Any) -> ImageBatch:
    return ImageBatch(images.tensors, images.image_sizes, Normalization.of(model.transform))


def _own_call(model: nn.Module, image: Any, target: Any = None) -> Activations:
    detector: Any = model
    shown: Activations = detector.call(image, target)
    return shown
