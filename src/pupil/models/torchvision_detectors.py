"""The door to torchvision's detectors, which normalise and resize images in a transform of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

from torch import nn

from pupil.errors import UsageError, unknown
from pupil.models.pyramid_detectors import settings
from pupil.models.spec import Spec, arguments, one_line, signature, untrained, wanted_weights
from pupil.models.torchvision_models import torchvision_names

RESERVED = frozenset({"num_classes", "weights", "progress"})
BACKGROUND = "__background__"
NAMELESS = "N/A"  # ids that COCO left out, though the network has a channel for each


def torchvision_detector(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """A detector of torchvision, without pretrained weights unless they are asked for.

    ``weights=imagenet`` is a pretrained backbone, as the builder has it; ``weights=DEFAULT`` or a tag of torchvision's
    the whole network with its own classes. All other options are those of the builder (``trainable_backbone_layers``)
    and of the detector's class (``min_size``, ``max_size``).
    """
    from torchvision.models import get_model_builder, get_model_weights

    names = torchvision_names("boxes")
    if spec.name not in names:
        raise unknown("detector of torchvision", spec.name, names)
    build, text = get_model_builder(spec.name), f"torchvision:{spec.name}"
    rest = {name: value for name, value in spec.options.items() if name != "weights"}
    options: dict[str, Any] = arguments(build, rest, text, RESERVED)
    family = next(each for each in ("fasterrcnn", "retinanet", "fcos", "ssd") if spec.name.startswith(each))
    taken = [*(each for each in signature(build).parameters if each not in (*RESERVED, "kwargs")), *settings(family)]
    for name in rest:
        # torchvision's transform swallows any that it does not know.
        if name not in taken:
            raise unknown(f"option of {text}", name, taken)
    wanted = wanted_weights(spec.options)
    tag = wanted.upper() if wanted and wanted != "imagenet" else None  # torchvision's tags are in capitals
    known = get_model_weights(spec.name).__members__
    if tag and tag not in known:
        raise unknown(f"weights of {text}", str(wanted), ["imagenet", *known])
    if classes is None and not tag:
        raise untrained(spec)
    own = own_classes(known[tag].meta["categories"]) if tag else ()
    if classes not in (None, len(own)) and tag:
        raise UsageError(
            f"expected the {len(own)} classes of {text}?weights={wanted}, got {classes}: "
            "for other classes, start from a pretrained backbone with ?weights=imagenet"
        )
    if wanted != "imagenet":
        # The builder's own default is a pretrained backbone.
        options.setdefault("weights_backbone", None)
    fetches = pretrained and (wanted or options.get("weights_backbone"))
    with (
        one_line(f"cannot get the weights of {text}" if fetches else f"{text} refused its options"),
        nullcontext() if pretrained else _unfetched(),
    ):
        model: nn.Module = build(weights=tag, num_classes=(classes or len(own)) + 1, **options)
    if classes is None:
        model.classes = own  # type: ignore[assignment]
    return model


def own_classes(categories: list[str]) -> tuple[str, ...]:
    """What a detector tells apart, without the background; ids that nobody named have numbers.

    Example:
        >>> own_classes(["__background__", "person", "N/A"])
        ('person', 'unnamed 2')
    """
    named = enumerate(categories)
    return tuple(f"unnamed {index}" if name == NAMELESS else name for index, name in named if name != BACKGROUND)


@contextmanager
def _unfetched() -> Iterator[None]:
    """Within the block torchvision builds what it builds for pretrained weights, and neither fetches nor loads them.

    The network depends on them: whether BatchNorm is frozen, its epsilon, how wide a MobileNet ends.
    """
    from torchvision.models import WeightsEnum

    with (
        mock.patch.object(WeightsEnum, "get_state_dict", return_value={}),
        mock.patch.object(nn.Module, "load_state_dict", return_value=None),
    ):
        yield
