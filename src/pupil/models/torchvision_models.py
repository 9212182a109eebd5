"""The door to torchvision's segmentation networks."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.errors import unknown
from pupil.models.preprocessing import IMAGENET, attach
from pupil.models.spec import Spec, arguments, one_line, signature, untrained, wanted_weights


def torchvision_names() -> list[str]:
    """Its segmentation networks."""
    from torchvision.models import list_models, segmentation

    return list_models(module=segmentation)  # type: ignore[no-any-return]


def from_torchvision(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """A segmentation network of torchvision, without pretrained weights unless they are asked for.

    ``weights=imagenet`` is a pretrained backbone under a new classifier, ``weights=DEFAULT`` or a tag of torchvision's
    the whole network with its own classes.
    """
    from torchvision.models import get_model_builder, get_model_weights

    names = torchvision_names()
    if spec.name not in names:
        raise unknown("segmentation model of torchvision", spec.name, names)
    build, text = get_model_builder(spec.name), f"torchvision:{spec.name}"
    options: dict[str, Any] = {"weights": None, "weights_backbone": None}
    options |= arguments(build, spec.options, text, frozenset({"num_classes"}))
    # In capitals the word has long meant the whole network.
    if wanted_weights(spec.options) == "imagenet" and options["weights"] != "DEFAULT":
        options |= {"weights": None, "weights_backbone": "DEFAULT"}
    whole = options["weights"]
    own: tuple[str, ...] = ()
    if whole:
        known = get_model_weights(spec.name).__members__
        if whole not in known:
            raise unknown(f"weights of {text}", whole, ["imagenet", *known])
        own = tuple(known[whole].meta["categories"])
    elif classes is None:
        raise untrained(spec)
    if not pretrained:
        if whole and "aux_loss" in signature(build).parameters:
            # It comes with the weights of a whole network.
            options.setdefault("aux_loss", True)
        options |= {"weights": None, "weights_backbone": None}
    fetched = options["weights"] or options["weights_backbone"]
    with one_line(f"cannot get the weights {fetched} of {text}" if fetched else f"{text} refused its options"):
        model: nn.Module = build(num_classes=classes or len(own), **options)
    if classes is None:
        model.classes = own  # type: ignore[assignment]
    return attach(model, IMAGENET)
