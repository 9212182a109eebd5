"""The door to segmentation_models_pytorch: any of its decoders over any of its encoders."""

from __future__ import annotations

from typing import Any

from torch import nn

from pupil.errors import UsageError, unknown
from pupil.imports import import_package
from pupil.models.preprocessing import IMAGENET, Preprocessing, attach
from pupil.models.sizes import accepted_sizes
from pupil.models.spec import Spec, arguments, one_line, signature, untrained, wanted_weights

PACKAGE = "segmentation_models_pytorch"
TIMM = "tu-"  # smp's mark of an encoder that is timm's
RESERVED = frozenset({"self", "encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params"})


def smp_names() -> list[str]:
    """Its architectures; each takes any of its encoders, after a slash."""
    return list(import_package(PACKAGE, "smp", "smp:...").MODEL_ARCHITECTURES_MAPPING)


def from_smp(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """An architecture of segmentation_models_pytorch over one of its encoders, without pretrained weights unasked."""
    architecture, _, encoder = spec.name.partition("/")
    text = f"smp:{spec.name}"
    smp = import_package(PACKAGE, "smp", text)
    known = smp.MODEL_ARCHITECTURES_MAPPING
    if architecture.lower() not in known:
        raise unknown("architecture of segmentation_models_pytorch", architecture, known)
    build = known[architecture.lower()]
    encoder = encoder or signature(build.__init__).parameters["encoder_name"].default
    weights = wanted_weights(spec.options)
    _check_encoder(smp, encoder, weights)
    if classes is None:
        raise untrained(spec)
    rest = {name: value for name, value in spec.options.items() if name != "weights"}
    known = [name for name in signature(build.__init__).parameters if name not in RESERVED and name != "kwargs"]
    if wrong := [name for name in rest if name not in known and not encoder.startswith(TIMM)]:
        # Where the encoder is not timm's, smp drops what it does not know without a word.
        raise unknown(f"option of {text}", wrong[0], known)
    options = arguments(build.__init__, rest, text, RESERVED)
    fetch = weights if pretrained else None
    with one_line(f"cannot get the weights {fetch} of {encoder}" if fetch else f"{text} refused its options"):
        model: nn.Module = build(encoder_name=encoder, encoder_weights=fetch, classes=classes, **options)
    divides = getattr(model, "requires_divisible_input_shape", True)
    stride = int(getattr(model.encoder, "output_stride", 32))
    sizes = accepted_sizes(model, text, stride=stride, patch=stride if divides else 1, only=_own_size(model))
    return attach(model, _preprocessing(smp, encoder, fetch, sizes))


def _check_encoder(smp: Any, encoder: str, weights: str | None) -> None:
    if encoder.startswith(TIMM):
        timm = import_package("timm", "smp", f"smp's encoder {encoder}")
        if not timm.is_model(encoder.removeprefix(TIMM)):
            raise unknown("encoder of timm", encoder.removeprefix(TIMM), timm.list_models())
        if weights not in (None, "imagenet"):
            # smp would load timm's usual ones, whatever is asked for.
            raise UsageError(
                f"expected ?weights=imagenet for {encoder}, got ?weights={weights}: write timm's tag into the encoder, "
                "for example tu-resnet10t.c3_in1k"
            )
        return
    known = smp.encoders.encoders
    if encoder not in known:
        raise unknown("encoder of segmentation_models_pytorch", encoder, known)
    tags = known[encoder]["pretrained_settings"]
    if weights and weights not in tags:
        raise unknown(f"weights of smp's encoder {encoder}", weights, tags)


def _own_size(model: nn.Module) -> tuple[int, int] | None:
    """The size that an encoder of timm's was made for."""
    known = getattr(getattr(model.encoder, "model", None), "pretrained_cfg", None) or {}
    size = known.get("input_size")
    return None if size is None else (size[1], size[2])


def _preprocessing(smp: Any, encoder: str, weights: str | None, sizes: Any) -> Preprocessing:
    """As smp says for these weights; for random ones, as timm says or of ImageNet."""
    if encoder.startswith(TIMM):
        settings = import_package("timm", "smp", encoder).get_pretrained_cfg(encoder.removeprefix(TIMM))
        if settings is None:
            return Preprocessing(IMAGENET.mean, IMAGENET.std, **sizes)
        return Preprocessing(settings.mean, settings.std, **sizes)
    found: Any = {}
    if weights:
        # They stand beside the weights, which were fetched a moment ago.
        with one_line(f"cannot get the preprocessing of {encoder}"):
            found = smp.encoders.get_preprocessing_params(encoder, weights)
    order = found.get("input_space", "RGB")
    if order not in ("RGB", "BGR"):
        raise UsageError(f"expected {encoder} to read RGB or BGR, got {order}: choose another encoder")
    top = max(found.get("input_range", (1.0,)))
    mean, std = found.get("mean") or IMAGENET.mean, found.get("std") or IMAGENET.std
    return Preprocessing(mean, std, float(top), order, **sizes)
