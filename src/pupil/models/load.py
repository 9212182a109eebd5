"""The doors to models: one text names any network, ours, torchvision's, the reader's own, or that of a run."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn

from pupil.errors import UsageError, unknown
from pupil.models.preprocessing import IMAGENET, PLAIN, attach
from pupil.models.small import SIZES, small_net
from pupil.models.spec import Spec, arguments, parse, signature

Door = Callable[[Spec, int], nn.Module]


def load_model(spec: str, classes: int, *, seed: int | None = None, allow_code: bool = True) -> nn.Module:
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
        allow_code: whether ``package.module:function`` may be imported; a spec found in a file must not be.

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
        return from_run(Path(spec), classes)
    parsed = parse(spec)
    door = DOORS.get(parsed.family, partial(from_code, allow=allow_code))
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
    build = partial(small_net, spec.name)
    options = arguments(small_net, spec.options, f"pupil:{spec.name}", frozenset({"name", "classes"}))
    return attach(build(classes, **options), IMAGENET)


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


def from_code(spec: Spec, classes: int, *, allow: bool = True) -> nn.Module:
    """The network that a function of the reader's own builds."""
    text = f"{spec.family}:{spec.name}"
    if not allow:
        raise UsageError(
            f"the model {text!r} is code named by a file, which is not run unasked: name it yourself to allow it"
        )
    build = _imported(spec)
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


def from_run(folder: Path, classes: int) -> nn.Module:
    """The student of a finished run, with its weights."""
    raise UsageError(f"expected a run folder, got {folder}: it holds no run.json")


# The place for further families (timm, smp, transformers): a door each.
DOORS: Mapping[str, Door] = {"pupil": from_pupil, "torchvision": from_torchvision}


def _imported(spec: Spec) -> Callable[..., nn.Module]:
    # As with `python -m`, modules of the current directory come first.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(spec.family)
    except ModuleNotFoundError as error:
        if difflib.get_close_matches(spec.family, DOORS, cutoff=0.7):
            raise unknown("model family", spec.family, DOORS) from None
        raise UsageError(
            f"cannot import {spec.family!r}: there is no module {error.name!r} in {os.getcwd()} or installed"
        ) from error
    except Exception as error:  # whatever the reader's module raises is theirs to mend
        raise UsageError(f"cannot import {spec.family!r}: {type(error).__name__}: {error}") from error
    build = getattr(module, spec.name, None)
    if not callable(build):
        known = [name for name, value in vars(module).items() if callable(value) and name[0] != "_"]
        raise unknown(f"function in {spec.family}", spec.name, known)
    return build  # type: ignore[no-any-return]
