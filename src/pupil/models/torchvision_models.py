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
    rest = {name: value for name, value in spec.options.items() if name != "weights"}
    options: dict[str, Any] = {"weights_backbone": None, **arguments(build, rest, text, frozenset({"num_classes"}))}
    wanted = wanted_weights(spec.options)
    whole = wanted.upper() if wanted and wanted != "imagenet" else None  # torchvision's tags are in capitals
    own: tuple[str, ...] = ()
    if whole:
        known = get_model_weights(spec.name).__members__
        if whole not in known:
            raise unknown(f"weights of {text}", str(wanted), ["imagenet", *known])
        own = tuple(known[whole].meta["categories"])
    elif classes is None:
        raise untrained(spec)
    options["weights"] = whole
    # torchvision takes None for no weights, and warns of False.
    options["weights_backbone"] = options["weights_backbone"] or ("DEFAULT" if wanted == "imagenet" else None)
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
