"""The doors to transformers, for semantic segmentation and for classification: by architecture, folder or hub id."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from torch import nn

from pupil.errors import UsageError, unknown
from pupil.imports import import_package
from pupil.lesson import Kind
from pupil.models.preprocessing import IMAGENET, Preprocessing, attach
from pupil.models.sizes import accepted_sizes, least_side
from pupil.models.spec import Spec, literal, one_line, untrained, wanted_weights

AUTO = "transformers.models.auto"
BACKBONE = "backbone"
# Settings of a config that are not the reader's: they belong to the classes, or to what a call returns.
RESERVED = frozenset(
    {"num_labels", "id2label", "label2id", "num_channels", "return_dict", "output_hidden_states", "architectures"}
    | {"transformers_version", "problem_type", "dtype", "is_encoder_decoder", "chunk_size_feed_forward"}
)


def transformers_names(kind: Kind = "dense") -> list[str]:
    """The architectures that AutoModelForSemanticSegmentation knows, or AutoModelForImageClassification."""
    auto = import_package(f"{AUTO}.modeling_auto", "transformers", "transformers:...")
    word = "SEMANTIC_SEGMENTATION" if kind == "dense" else "IMAGE_CLASSIFICATION"
    return list(getattr(auto, f"MODEL_FOR_{word}_MAPPING_NAMES"))


def from_transformers(spec: Spec, classes: int | None, pretrained: bool, kind: Kind = "dense") -> nn.Module:
    """A network of transformers: `segformer`, a local folder, or a hub id; fetched only if ``weights=`` asks for it.

    Options are fields of its config; ``backbone=convnext`` and ``backbone.FIELD`` are for the config of its backbone.
    ``weights`` is a hub id or a folder for an architecture, and ``imagenet`` or ``true`` for one named so already.
    """
    text, weights = f"transformers:{spec.name}", wanted_weights(spec.options)
    import_package("transformers", "transformers", text)
    options = {name: value for name, value in spec.options.items() if name != "weights"}
    by_name = "/" not in spec.name and not Path(spec.name).is_dir()
    if by_name:
        _check(spec.name, kind)
    if by_name and weights == "imagenet":
        raise UsageError(
            f"expected the weights of {text} by a hub id or a folder, got ?weights={spec.options['weights']}: "
            "for example transformers:segformer?weights=nvidia/mit-b0"
        )
    if not by_name and weights not in (None, "imagenet"):
        raise UsageError(f"expected ?weights=true for {text}, got ?weights={weights}: it has weights of its own")
    source = spec.name if not by_name else weights
    if classes is None and not weights:
        raise untrained(spec)
    if source is None:
        config = _config(spec.name, options, text)
        model = _from_config(config, classes, text, kind)
        return attach(model, _preprocessing(config, model, text, kind))
    loads = weights is not None and pretrained
    config = _stored_config(source, options, text, kind, may_fetch=loads)
    if by_name and config.model_type != spec.name:
        raise UsageError(f"expected weights of {text}, got those of {config.model_type} in {source!r}: name others")
    names = tuple(config.id2label[index] for index in range(config.num_labels))
    # What transformers calls classes that nobody named; ours for those is "class 0".
    names = tuple(f"class {index}" if name == f"LABEL_{index}" else name for index, name in enumerate(names))
    model = (
        _from_pretrained(source, config, classes, text, kind) if loads else _from_config(config, classes, text, kind)
    )
    if classes is None:
        model.classes = names  # type: ignore[assignment]
    return attach(model, _preprocessing(config, model, text, kind, source, loads))


def _config(architecture: str, options: Mapping[str, str], text: str) -> Any:
    """The config of an architecture, with the reader's options as its fields."""
    known = import_package(f"{AUTO}.configuration_auto", "transformers", text).CONFIG_MAPPING
    build = known[architecture]
    fields, nested = _fields(build, options, text)
    parts = {name: value for name, value in nested.items() if name != BACKBONE}
    if parts:
        kind = parts.pop("model_type", None) or _backbone_of(build())
        if kind not in known:
            raise unknown(f"backbone of {text}", str(kind), known)
        inner, _ = _fields(known[kind], parts, f"{text} with backbone {kind}")
        stages = len(inner.get("depths", ())) or 4
        inner.setdefault("out_features", [f"stage{index + 1}" for index in range(stages)])
        # Some backbones append to a list that is a tuple by default.
        listed = {name: each.default for name, each in inspect.signature(known[kind]).parameters.items()}
        inner = {name: list(value) for name, value in listed.items() if isinstance(value, tuple)} | inner
        with one_line(f"{text} refused the options of its backbone {kind}"):
            fields["backbone_config"] = known[kind](**inner)
    with one_line(f"{text} refused its options"):
        return build(**fields)


def _backbone_of(config: Any) -> str | None:
    return getattr(getattr(config, "backbone_config", None), "model_type", None)


def _fields(build: Any, options: Mapping[str, str], text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Options that are fields of this config, as values, and those of its backbone, still text."""
    known = [name for name in inspect.signature(build).parameters if name not in RESERVED]
    fields: dict[str, Any] = {}
    nested: dict[str, str] = {}
    for name, value in options.items():
        if "backbone_config" in known and name.partition(".")[0] == BACKBONE:
            nested[name.partition(".")[2] or "model_type"] = value
        elif name in known or name in ("out_features", "out_indices"):
            fields[name] = literal(value)
        else:
            raise unknown(f"option of {text}", name, [*known, *([BACKBONE] if "backbone_config" in known else [])])
    if "use_auxiliary_head" in known:
        # These networks keep its logits to themselves, so that nothing could ever train it.
        fields.setdefault("use_auxiliary_head", False)
    return fields, nested


def _stored_config(source: str, options: Mapping[str, str], text: str, kind: Kind, *, may_fetch: bool) -> Any:
    """The config that a folder or the hub keeps; where nothing is to be fetched, only what is on this machine already.

    A run holds no config: where its text names a hub id, this is what it is rebuilt from.
    """
    from transformers import AutoConfig

    here = Path(source).is_dir() or not may_fetch
    hint = "" if may_fetch or Path(source).is_dir() else f" here: `hf download {source} config.json` fetches it"
    with one_line(f"cannot get the config of {source!r}{hint}"):
        config = AutoConfig.from_pretrained(source, local_files_only=here)
    _check(config.model_type, kind)
    fields, nested = _fields(type(config), options, text)
    if nested:
        raise UsageError(f"expected no options of a backbone for {text}, got them: its stored config names its own")
    with one_line(f"{text} refused its options"):
        config.update(fields)
    return config


def _check(architecture: str, kind: Kind) -> None:
    if architecture not in transformers_names(kind):
        what = "semantic segmentation" if kind == "dense" else "image classification"
        raise unknown(f"architecture of transformers for {what}", architecture, transformers_names(kind))


def _auto(kind: Kind) -> Any:
    import transformers

    if kind == "dense":
        return transformers.AutoModelForSemanticSegmentation
    return transformers.AutoModelForImageClassification


def _from_config(config: Any, classes: int | None, text: str, kind: Kind) -> nn.Module:
    with one_line(f"{text} refused its options"):
        config.num_labels = classes or config.num_labels
        # None makes transformers fail where an architecture has several heads; the first one is its usual.
        config.architectures = config.architectures or []
        model: nn.Module = _auto(kind).from_config(config)
    return model.train()


def _from_pretrained(source: str, config: Any, classes: int | None, text: str, kind: Kind) -> nn.Module:
    import torch

    with one_line(f"cannot get the weights of {text} from {source!r}"):
        config.num_labels = classes or config.num_labels
        model, report = _auto(kind).from_pretrained(
            source,
            config=config,
            ignore_mismatched_sizes=classes is not None,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if classes is None and report["missing_keys"]:
        raise UsageError(
            f"expected a trained network, got {text} without weights for {sorted(report['missing_keys'])[0]}: "
            "train it and pass its run"
        )
    trained: nn.Module = model.train()
    return trained


def _preprocessing(
    config: Any, model: nn.Module, text: str, kind: Kind, source: str | None = None, may_fetch: bool = False
) -> Preprocessing:
    """As its stored image processor says, or the one that transformers uses for this architecture."""
    patch, side = getattr(config, "patch_size", 1), getattr(config, "image_size", None)
    inner = getattr(config, "backbone_config", None)
    if inner is not None:
        patch, side = getattr(inner, "patch_size", patch), getattr(inner, "image_size", side)
    # A convolutional backbone's patch is its stem, which pads.
    patch = patch if isinstance(patch, int) and patch >= 8 else 1
    only = (side, side) if isinstance(side, int) else None if side is None else (side[0], side[1])
    sizes = accepted_sizes(model, text, stride=32 if patch == 1 else patch, patch=patch, only=only)
    least = 1 if kind == "dense" else least_side(model, text, sizes)
    processor = _processor(config, source, may_fetch)

    def setting(name: str, default: Any) -> Any:
        value = getattr(processor, name, None)
        return default if value is None else value

    rescaled = setting("do_rescale", True)
    scale = 255.0 * setting("rescale_factor", 1 / 255) if rescaled else 255.0
    order: Literal["RGB", "BGR"] = "BGR" if setting("do_flip_channel_order", False) else "RGB"
    plain = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    statistics = {"mean": setting("image_mean", IMAGENET.mean), "std": setting("image_std", IMAGENET.std)}
    # Some declare statistics and say on the side not to use them.
    statistics = plain if processor is not None and not setting("do_normalize", False) else statistics
    return Preprocessing(**statistics, scale=scale, order=order, **sizes, least=least)


def _processor(config: Any, source: str | None, may_fetch: bool) -> Any:
    from transformers import AutoImageProcessor
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    if source is not None:
        # Where none is stored beside the config, the architecture's own follows.
        with suppress(OSError):
            here = Path(source).is_dir() or not may_fetch
            return AutoImageProcessor.from_pretrained(source, local_files_only=here)  # type: ignore[no-untyped-call]
    if type(config) not in IMAGE_PROCESSOR_MAPPING:
        return None
    found = IMAGE_PROCESSOR_MAPPING[type(config)]
    kinds = list(found.values()) if isinstance(found, dict) else list(found)
    return next((kind for kind in kinds if kind is not None), None)
