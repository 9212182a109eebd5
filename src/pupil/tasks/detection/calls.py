"""The call that shows a detector to a distiller, by the class of the torchvision model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from pupil.errors import UsageError, listed
from pupil.lesson import Activations, Call
from pupil.tasks.detection.family import Family, Head, Proposals, named_levels, watching
from pupil.tasks.detection.faster_rcnn import FASTER_RCNN
from pupil.tasks.detection.fcos import FCOS
from pupil.tasks.detection.own_call import WANTED, OwnCall, attached_call
from pupil.tasks.detection.records import DetectorRecord, ImageBatch, Normalization, Targets
from pupil.tasks.detection.retinanet import RETINANET
from pupil.tasks.detection.ssd import SSD


def detector_call(model: nn.Module, *, heads: bool = True, losses: bool = False) -> Call:
    """How to ask a detector: RetinaNet, FCOS, SSD, SSDLite, Faster, Mask or Keypoint R-CNN, with any backbone.

    A subclass is asked as its family, and so is a module that holds one of them and runs it.

    Args:
        model: the detector. One with an attribute or a method `call` is asked by that, see
            :class:`~pupil.tasks.detection.own_call.OwnCall`.
        heads: whether a batch that a student has transformed is shown to the heads too; without, to the pyramid alone.
        losses: whether a teacher also shows its own losses, image by image; a call of its own decides that itself.

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
    if own := attached_call(model):
        return OwnCall(own)
    known = {
        name: family
        for name, module in model.named_modules()
        for kind, family in families.items()
        if isinstance(module, kind)
    }
    inner = "" if "" in known else next(iter(known), "")
    if inner not in known or (inner and len(known) > 1):
        raise UsageError(
            f"expected one of torchvision's {', '.join(kind.__name__ for kind in families)}, alone or inside of "
            f"another module, got {type(model).__name__}: give it an attribute `call`, {WANTED}"
        )
    return DetectorCall(known[inner], losses, inner, heads)


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
        inner: name of the module that is the detector; "" is the model itself. What a model around it adds to its
            losses counts in training.
        heads: whether the heads are asked too, outside training; without, only where `losses` need them.

    Raises:
        UsageError: in training without targets, or if the model goes around its detector; for a batch that a transform
            with another mean, deviation or size divisor has made.
    """

    family: Family
    losses: bool = False
    inner: str = ""
    heads: bool = True

    def __call__(self, model: nn.Module, image: Any, target: Any = None) -> Activations:
        detector: Any = model.get_submodule(self.inner)
        if isinstance(image, ImageBatch):
            Normalization.of(detector.transform).check(image.normalization)
            return self._shown(detector, image, target)
        if model.training:
            return self._trained(model, detector, image, target)
        images, targets = detector.transform(image, target)
        return self._shown(detector, ImageBatch.of(images, detector.transform), targets)

    def _trained(self, whole: nn.Module, model: Any, image: Any, target: Any) -> Activations:
        if target is None:
            raise UsageError("expected targets in training, got None: pass one dict of boxes and labels an image")
        modules = {"transform": model.transform, "backbone": model.backbone, **self.family.watched(model)}
        with watching(modules) as seen:
            losses = whole(image, target)
        if around := [name for name in modules if name not in seen]:
            raise UsageError(
                f"expected {type(whole).__name__} to run all of its {type(model).__name__} in training, got nothing "
                f"from {listed(around, 8)}: give it an attribute `call`, {WANTED}"
            )
        images, targets = seen["transform"].output
        head, proposals = self.family.said(seen)
        batch = replace(ImageBatch.of(images, model.transform), proposals=proposals)
        shown = self._activations(model, batch, targets, named_levels(seen["backbone"].output), head, proposals)
        return replace(shown, output=replace(shown.output, losses=losses))

    def _shown(self, model: Any, images: ImageBatch, targets: Targets | None) -> Activations:
        pyramid = named_levels(model.backbone(images.tensors))
        head = self.family.outputs(model, images, pyramid) if self.heads else {}
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
        anchors, two_stage = self.family.anchors(model, pyramid), self.family.two_stage
        record = DetectorRecord(tuple(pyramid), head, anchors, two_stage=two_stage, proposals=proposals)
        return Activations(record, {**pyramid, **head}, (images, targets))
