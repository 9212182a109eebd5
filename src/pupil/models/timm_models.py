"""The doors to timm's models: as encoders under our own light decoder or a detector, and as the classifiers they are.

Legend: N images, K classes, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.imports import import_package
from pupil.models.decoder import Decoder
from pupil.models.preprocessing import IMAGENET, Preprocessing, attach
from pupil.models.pyramid_detectors import FAMILIES, on_pyramid, settings
from pupil.models.sizes import accepted_sizes, least_side
from pupil.models.spec import Spec, literal, one_line, untrained, wanted_weights
from pupil.text import convert

FINEST = 4  # finer maps cost four times as much each, and few encoders have learned anything there
DECODER = 64
PYRAMID = 256
# What lets an encoder take images of other sizes than it was made for; which of them it knows, it says itself.
ANY_SIZE: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})


class EncoderDecoder(nn.Module):
    """An encoder that gives maps at several strides, our decoder, and a classifier.

    Args:
        encoder: gives a list of maps.
        kept: which of its maps the decoder sees, the finest first.
        channels: of each of these.
        classes: K.
        width: channels of the decoder.
        enlarge: see :class:`pupil.models.decoder.Decoder`.
        channels_last: whether the encoder's maps are (N, H, W, C).

    Shape:
        image (N, 3, H, W) to logits (N, K, h, w) at the stride of the finest map, enlarged.
    """

    def __init__(
        self,
        encoder: nn.Module,
        kept: Sequence[int],
        channels: Sequence[int],
        classes: int,
        width: int = DECODER,
        enlarge: Sequence[int] | None = None,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.kept, self.channels_last = tuple(kept), channels_last
        self.encoder = encoder
        self.decoder = Decoder(channels, width, enlarge)
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        maps = self.encoder(image)
        maps = [maps[index].permute(0, 3, 1, 2) if self.channels_last else maps[index] for index in self.kept]
        logits: Tensor = self.classifier(self.decoder(maps))
        return logits


def timm_names() -> list[str]:
    """Every architecture that timm knows; nearly all of them show features."""
    return import_package("timm", "timm", "timm:...").list_models()  # type: ignore[no-any-return]


def from_timm(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """An encoder of timm under our decoder.

    Options of ours are ``weights``, ``decoder`` (channels of the decoder) and ``img_size`` (``512`` or ``512x1024``);
    all others go to timm.
    """
    text = f"timm:{spec.name}"
    timm, name, fetch = _named(spec, text)
    if classes is None:
        raise untrained(spec)
    options = _options(spec, text)
    width = convert(str(options.pop("decoder", DECODER)), int, "decoder")
    if width < 1:
        raise UsageError(f"expected a decoder of at least one channel, got {width}: pass ?decoder={DECODER}")
    if isinstance(options.get("out_indices"), int):
        options["out_indices"] = [options["out_indices"]]
    encoder, levels = _encoder(timm, name, text, options, fetch and pretrained)
    strides = [level["reduction"] for level in levels]
    fine = [index for index, stride in enumerate(strides) if stride >= FINEST] or [len(strides) - 1]
    enlarge = None
    if len(set(strides)) == 1 and strides[0] > FINEST:
        # A plain transformer: its first maps stand for the finer ones that it does not have.
        enlarge = [max(1, round(strides[0] / FINEST) >> index) for index in range(len(fine))]
    model = EncoderDecoder(
        encoder,
        fine,
        [levels[index]["num_chs"] for index in fine],
        classes,
        width,
        enlarge,
        channels_last=str(getattr(encoder, "output_fmt", "NCHW")).endswith("NHWC"),
    )
    return attach(model, _preprocessing(model, encoder, options, text, max(strides)))


def timm_classifier(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """A model of timm as the classifier that it is.

    Options of ours are ``weights`` and ``img_size``; all others go to timm. Where `classes` is another number than that
    of the weights, the classifier is new.
    """
    text = f"timm:{spec.name}"
    timm, name, fetch = _named(spec, text)
    if classes is None and not fetch:
        raise untrained(spec)
    options = _options(spec, text)
    wanted = {} if classes is None else {"num_classes": classes}
    model: nn.Module = _built(timm, name, text, {**options, **wanted}, fetch and pretrained)
    if classes is None:
        model.classes = _own_classes(timm, model, spec)  # type: ignore[assignment]
    stride = max((level["reduction"] for level in getattr(model, "feature_info", None) or ()), default=32)
    preprocessing = _preprocessing(model, model, options, text, stride)
    sides = options.get("img_size", ())
    if wrong := [side for side in (sides if isinstance(sides, tuple) else (sides,)) if side % preprocessing.divisor]:
        raise UsageError(f"expected img_size of {text} in multiples of {preprocessing.divisor}, got {wrong[0]}")
    least = least_side(model, text, {"divisor": preprocessing.divisor, "size": preprocessing.size})
    return attach(model, replace(preprocessing, least=least))


def timm_detector(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """An encoder of timm under torchvision's feature pyramid and one of its detectors.

    Options of ours are ``detector`` (retinanet, fcos or fasterrcnn), ``pyramid`` (channels of its levels) and
    ``weights``; those that torchvision's class has (``min_size``, ``score_thresh``) go there, all others to timm.
    """
    text = f"timm:{spec.name}"
    timm, name, fetch = _named(spec, text)
    if classes is None:
        raise untrained(spec)
    options = _options(spec, text)
    family = options.pop("detector", "retinanet")
    if family not in FAMILIES:
        raise unknown("detector", family, FAMILIES)
    width = convert(str(options.pop("pyramid", PYRAMID)), int, "pyramid")
    theirs = {each: options.pop(each) for each in settings(family) if each in options}
    encoder, levels = _encoder(timm, name, text, options, fetch and pretrained)
    known: Any = getattr(encoder, "pretrained_cfg", None) or {}
    means, deviations = known.get("mean", IMAGENET.mean), known.get("std", IMAGENET.std)
    return on_pyramid(
        family,
        encoder,
        [level["reduction"] for level in levels],
        [level["num_chs"] for level in levels],
        classes,
        width=width,
        channels_last=str(getattr(encoder, "output_fmt", "NCHW")).endswith("NHWC"),
        **{"image_mean": list(means), "image_std": list(deviations), **theirs},
    )


def _own_classes(timm: Any, model: Any, spec: Spec) -> tuple[str, ...]:
    """What the weights tell apart, by the names of ImageNet's folders where it is ImageNet."""
    if not model.num_classes:
        raise untrained(spec)
    subset = timm.data.infer_imagenet_subset(model)
    if subset is None:
        return tuple(f"class {index}" for index in range(model.num_classes))
    return tuple(timm.data.ImageNetInfo(subset).label_names())


def _named(spec: Spec, text: str) -> tuple[Any, str, bool]:
    """timm, the name of the model with its tag, and whether its weights are asked for."""
    timm = import_package("timm", "timm", text)
    architecture, _, tag = spec.name.partition(".")
    if not timm.is_model(architecture):
        raise unknown("model of timm", architecture, timm.list_models())
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    weights = wanted_weights(spec.options)
    if weights == "imagenet" and not tags:
        raise UsageError(f"expected pretrained weights of {text}, got none: timm has none; leave out ?weights=")
    tag = tag if weights in (None, "imagenet") else str(weights)
    if tag and tag not in tags:
        raise unknown(f"weights of {text}", tag, ["imagenet", *tags] if weights and tags else tags)
    return timm, f"{architecture}.{tag}" if tag else architecture, weights is not None


def _options(spec: Spec, text: str) -> dict[str, Any]:
    """The options as values, without those that are set for the reader."""
    options = {name: literal(value) for name, value in spec.options.items() if name not in ("weights", "img_size")}
    for name in ("pretrained", "features_only", "in_chans", "num_classes"):
        if name in options:
            raise UsageError(f"expected no option {name!r} of {text}, got {name}={options[name]}: it is set for you")
    if "img_size" in spec.options:
        sides = [convert(side, int, "img_size") for side in spec.options["img_size"].split("x")]
        options["img_size"] = sides[0] if len(sides) == 1 else (sides[0], sides[1])
    return options


def _preprocessing(
    model: nn.Module, described: nn.Module, options: dict[str, Any], text: str, stride: int
) -> Preprocessing:
    """The statistics that timm says, and the sizes that the model takes."""
    known: Any = getattr(described, "pretrained_cfg", None) or {}
    size = options.get("img_size", known.get("input_size", (3, 224, 224))[1:])
    only = (size, size) if isinstance(size, int) else (size[0], size[1])
    sizes = accepted_sizes(model, text, stride=stride, only=only)
    return Preprocessing(known.get("mean", IMAGENET.mean), known.get("std", IMAGENET.std), **sizes)


def _encoder(
    timm: Any, name: str, text: str, options: dict[str, Any], fetch: bool
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """The encoder and what it says of the maps that it gives."""
    if "out_indices" not in options:
        info = _built(timm, name, text, {"features_only": True, **options}, fetch=False).feature_info
        if len(set(info.reduction())) == 1 and len(info.info) > 4:
            # The last few blocks of a plain transformer show nearly the same: take four from all over it.
            options = {**options, "out_indices": [len(info.info) * each // 4 - 1 for each in (1, 2, 3, 4)]}
    encoder = _built(timm, name, text, {"features_only": True, **options}, fetch)
    return encoder, list(encoder.feature_info.get_dicts())


def _built(timm: Any, name: str, text: str, options: dict[str, Any], fetch: bool) -> Any:
    what = f"cannot get the weights of {text}" if fetch else f"{text} refused its options"
    for free in ANY_SIZE:
        unheard = [option for option in free if option not in options]
        with one_line(what):
            try:
                return timm.create_model(name, pretrained=fetch, **{**free, **options})
            except TypeError as error:
                if not any(option in str(error) for option in unheard):
                    raise
    raise AssertionError("the last attempt adds nothing, and raises its own error")
