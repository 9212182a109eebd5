"""The channel that torchvision's detectors have beside those of their classes."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.errors import UsageError


def check_background(model: nn.Module, classes: int, what: str, argument: str = "classes") -> None:
    """That a detector of torchvision's that somebody built has a channel for the background beside its classes.

    Args:
        model: the detector, or a module around one. One with a call of its own counts as it likes.
        classes: how many it is to tell apart.
        what: built it, for the error.
        argument: how that function calls the classes.

    Raises:
        UsageError: for a head of another number of channels.
    """
    from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
    from torchvision.models.detection.ssd import SSD

    if hasattr(model, "call"):
        return
    places = {
        RetinaNet: "head.classification_head.num_classes",
        FCOS: "head.classification_head.num_classes",
        SSD: "head.classification_head.num_columns",
        FasterRCNN: "roi_heads.box_predictor.cls_score.out_features",
    }
    for module in model.modules():
        channels: Any = module
        for name in next((each for kind, each in places.items() if isinstance(module, kind)), "").split("."):
            # Somebody's own head may be made otherwise.
            channels = getattr(channels, name, None)
        if isinstance(channels, int) and channels != classes + 1:
            raise UsageError(
                f"expected a detector of {classes} classes and the background ({classes + 1} channels) from {what}, "
                f"got {channels}: build it with num_classes={argument} + 1"
            )
