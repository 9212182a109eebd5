"""The door to our own networks; random weights, but for an encoder of torchvision's where ``weights=imagenet`` asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from pupil.errors import unknown
from pupil.lesson import Kind
from pupil.models import densenet, detectors, efficient_pyramid, lanes, preactivation, resnet, small
from pupil.models.preprocessing import CIFAR, IMAGENET, attach
from pupil.models.spec import Spec, arguments, untrained, wanted_weights


def _efficient_pyramid(name: str, classes: int, *, weights: str | None = None) -> nn.Module:
    if weights not in (None, "imagenet"):
        raise unknown(f"weights of pupil:{name}", str(weights), ["imagenet"])
    return efficient_pyramid.efficient_pyramid(name, classes, pretrained=weights is not None)


# Each is called with the name, the classes and the options.
NETWORKS: Mapping[Kind, Mapping[str, Callable[..., nn.Module]]] = {
    "dense": {
        **dict.fromkeys(small.SIZES, small.small_net),
        **dict.fromkeys(efficient_pyramid.NAMES, _efficient_pyramid),
        **dict.fromkeys(lanes.NAMES, lanes.lane_net),
    },
    "whole": {
        **dict.fromkeys(resnet.NAMES, resnet.resnet),
        **dict.fromkeys(preactivation.WIDE_NAMES, preactivation.wide_resnet),
        **dict.fromkeys(preactivation.PREACT_NAMES, preactivation.preact_resnet),
        **dict.fromkeys(densenet.NAMES, densenet.densenet),
    },
    "boxes": dict.fromkeys(detectors.NAMES, detectors.small_detector),
}


def pupil_names(kind: Kind = "dense") -> list[str]:
    """Our own networks of one kind."""
    return list(NETWORKS[kind])


def from_pupil(spec: Spec, classes: int | None, pretrained: bool, kind: Kind = "dense") -> nn.Module:
    """One of our own networks by name."""
    if spec.name not in NETWORKS[kind]:
        raise unknown("model of the family 'pupil'", spec.name, NETWORKS[kind])
    if classes is None:
        raise untrained(spec)
    build = NETWORKS[kind][spec.name]
    options = arguments(build, spec.options, f"pupil:{spec.name}", frozenset({"name", "classes"}))
    if "weights" in options:
        options["weights"] = wanted_weights(spec.options) if pretrained else None
    model = build(spec.name, classes, **options)
    if kind == "boxes" or hasattr(model, "preprocessing"):
        return model
    return attach(model, IMAGENET if kind == "dense" else CIFAR)
