"""The doors to torchvision's networks: one for segmentation, one for classification."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.errors import UsageError, unknown
from pupil.lesson import Kind
from pupil.models.preprocessing import IMAGENET, Preprocessing, attach
from pupil.models.sizes import accepted_sizes, least_side
from pupil.models.spec import Spec, arguments, one_line, signature, untrained, wanted_weights

# Their auxiliary logits come beside the others in training alone; they read images normalised by 0.5 unless told.
INCEPTION = ("googlenet", "inception_v3")


def torchvision_names(kind: Kind = "dense") -> list[str]:
    """Its segmentation networks, its classifiers, or those of its detectors that learn from boxes alone."""
    from torchvision import models

    modules = {"dense": models.segmentation, "whole": models, "boxes": models.detection}
    names: list[str] = models.list_models(module=modules[kind])
    return [name for name in names if not name.startswith(("maskrcnn", "keypointrcnn"))]


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


def torchvision_classifier(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """A classification network of torchvision, without pretrained weights unless they are asked for.

    ``weights=imagenet`` is ``weights=DEFAULT``; any other word is a tag of torchvision's. Where `classes` is another
    number than that of these weights, the classifier is new.
    """
    from torchvision.models import get_model_builder, get_model_weights

    names = torchvision_names("whole")
    if spec.name not in names:
        raise unknown("classification model of torchvision", spec.name, names)
    build, text = get_model_builder(spec.name), f"torchvision:{spec.name}"
    rest = {name: value for name, value in spec.options.items() if name != "weights"}
    options = arguments(build, rest, text, frozenset({"num_classes"}))
    # Some weights are those of the features alone.
    known = {tag: each for tag, each in get_model_weights(spec.name).__members__.items() if each.meta["categories"]}
    wanted = wanted_weights(spec.options)
    tag = "DEFAULT" if wanted == "imagenet" else (wanted or "").upper()
    if wanted and tag not in known:
        raise unknown(f"weights of {text}", wanted, ["imagenet", *known])
    if classes is None and not wanted:
        raise untrained(spec)
    own = tuple(known[tag].meta["categories"]) if wanted else ()
    if wanted and spec.name.startswith("vit_"):
        options.setdefault("image_size", known[tag].meta["min_size"][0])
    if spec.name in INCEPTION:
        options.setdefault("transform_input", wanted is not None)
    with one_line(f"{text} refused its options"):
        settled = {"aux_logits": False, "init_weights": True} if spec.name in INCEPTION else {}
        model: nn.Module = build(num_classes=classes or len(own), **settled, **options)
    if wanted and pretrained:
        with one_line(f"cannot get the weights {tag} of {text}"):
            _fill(model, build(weights=tag, **options), len(own), text)
    if classes is None:
        model.classes = own  # type: ignore[assignment]
    side = getattr(model, "image_size", 224)
    height, width = options.get("input_size", (side, side))
    sizes = accepted_sizes(model, text, only=(height, width))
    statistics = known[tag].transforms() if wanted else IMAGENET
    least = least_side(model, text, sizes)
    return attach(model, Preprocessing(statistics.mean, statistics.std, **sizes, least=least))


def _fill(model: nn.Module, trained: nn.Module, classes: int, text: str) -> None:
    """Copy all weights that fit; only those of the classifier need not."""
    weights, state = trained.state_dict(), model.state_dict()
    for name, value in state.items():
        if weights[name].shape == value.shape:
            value.copy_(weights[name])
        elif len(weights[name]) != classes or weights[name].shape[1:] != value.shape[1:]:
            raise UsageError(
                f"expected {name} of the weights to be {tuple(value.shape)}, got {tuple(weights[name].shape)}: "
                f"leave out the options that change the shape of {text}"
            )
