"""The doors to models: one text names any network, ours, torchvision's, the reader's own, or that of a run."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from pupil.errors import UsageError, unknown
from pupil.imports import import_function
from pupil.models.preprocessing import IMAGENET, PLAIN, Preprocessing, attach
from pupil.models.small import SIZES, small_net
from pupil.models.spec import Spec, arguments, parse, signature
from pupil.run import Run

Door = Callable[[Spec, int], nn.Module]


def load_model(spec: str, classes: int, *, seed: int | None = None, trust: str | None = None) -> nn.Module:
    """The network that a text names, unmodified, with its preprocessing attached.

    ===================================  =====================================================================
    ``pupil:tiny?width=24``              our own nets, see :mod:`pupil.models.small`
    ``torchvision:NAME?aux_loss=true``   a segmentation network of torchvision; random weights unless
                                         ``weights=`` or ``weights_backbone=`` says otherwise
    ``package.module:function?a=1``      called with ``classes=`` (or ``num_classes=``) and the options; the
                                         current directory is importable. Its model is fed RGB in [0, 1] unless it
                                         carries a ``preprocessing`` (see :func:`pupil.models.attach`)
    ``runs/big``                         a run folder: the student trained there, with its weights
    ===================================  =====================================================================

    Args:
        spec: the text.
        classes: how many classes the network tells apart.
        seed: seed of the initial weights, leaving the global generator as it was; None draws from that generator.
        trust: a ``package.module:function`` that may be imported although only a run folder names it.

    Raises:
        UsageError: for a name, option or folder that does not exist, and for a module that does not import.

    Example:
        >>> model = load_model("pupil:tiny", classes=5, seed=0)
        >>> count_parameters(model) < 30_000, model.preprocessing == IMAGENET
        (True, True)
    """
    if classes < 1:
        raise UsageError(f"expected at least one class, got {classes}")
    if Path(spec).is_dir():
        return from_run(Path(spec), classes, trust)
    parsed = parse(spec)
    door = DOORS.get(parsed.family, from_code)
    # Networks are built on the CPU: its generator alone is seeded, and restored.
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return door(parsed, classes)


def model_names() -> dict[str, list[str]]:
    """The models that are known by name, by family."""
    from torchvision.models import list_models, segmentation

    return {"pupil": list(SIZES), "torchvision": list_models(module=segmentation)}


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model has learned or will learn: all its parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def from_pupil(spec: Spec, classes: int) -> nn.Module:
    """One of our own small nets."""
    options = arguments(small_net, spec.options, f"pupil:{spec.name}", frozenset({"name", "classes"}))
    return attach(small_net(spec.name, classes, **options), IMAGENET)


def from_torchvision(spec: Spec, classes: int) -> nn.Module:
    """A segmentation network of torchvision, without pretrained weights unless they are asked for."""
    from torchvision.models import get_model_builder

    names = model_names()["torchvision"]
    if spec.name not in names:
        raise unknown("segmentation model of torchvision", spec.name, names)
    build = get_model_builder(spec.name)
    options = arguments(build, spec.options, f"torchvision:{spec.name}", frozenset({"num_classes"}))
    try:
        model: nn.Module = build(num_classes=classes, **{"weights": None, "weights_backbone": None, **options})
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"torchvision:{spec.name} refused its options: {error}") from error
    return attach(model, IMAGENET)


def from_code(spec: Spec, classes: int) -> nn.Module:
    """The network that a function of the reader's own builds."""
    if difflib.get_close_matches(spec.family, DOORS, cutoff=0.7):
        raise unknown("model family", spec.family, DOORS)
    text = f"{spec.family}:{spec.name}"
    build = import_function(text)
    parameters = signature(build).parameters
    name = next((each for each in ("classes", "num_classes") if each in parameters), None)
    if name is None:
        raise UsageError(
            f"expected {text} to take classes or num_classes, got ({', '.join(parameters)}): add the argument"
        )
    model = build(**{name: classes}, **arguments(build, spec.options, text, frozenset({name})))
    if not isinstance(model, nn.Module):
        raise UsageError(f"expected {text} to return a torch.nn.Module, got {type(model).__name__}")
    return model if hasattr(model, "preprocessing") else attach(model, PLAIN)


def from_run(folder: Path, classes: int, trust: str | None = None) -> nn.Module:
    """The student of a finished run, with its weights and its preprocessing."""
    run = Run(folder)
    spec, trained = run.record["model"]["spec"], len(run.record["classes"])
    if parse(spec).family not in DOORS and spec != trust:
        raise UsageError(
            f"the run {str(folder)!r} names code, {spec!r}, not run unasked: pass --trust {spec} to allow it"
        )
    if trained != classes:
        raise UsageError(
            f"expected {classes} classes, got {trained} in the run {str(folder)!r}: use data of its classes"
        )
    # Its first weights are replaced at once: a seed keeps the global generator out of it.
    model = load_model(spec, classes, seed=0)
    try:
        model.load_state_dict(run.load_weights(), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"expected the weights in {str(folder)!r} to fit {spec!r}: {reason}") from None
    preprocessing = run.record["model"]["preprocessing"]
    return model if preprocessing is None else attach(model, Preprocessing.from_json(preprocessing))


# The place for further families (timm, smp, transformers): a door each.
DOORS: Mapping[str, Door] = {"pupil": from_pupil, "torchvision": from_torchvision}
