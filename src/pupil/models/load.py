"""The doors to models: one text names any network, ours, other libraries', the reader's own, or that of a run."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn

from pupil.errors import UsageError, unknown
from pupil.imports import import_function
from pupil.models.preprocessing import PLAIN, Preprocessing, attach
from pupil.models.pupil_models import from_pupil, pupil_names
from pupil.models.smp_models import from_smp, smp_names
from pupil.models.spec import Spec, arguments, parse, signature
from pupil.models.timm_models import from_timm, timm_classifier, timm_names
from pupil.models.torchvision_models import from_torchvision, torchvision_classifier, torchvision_names
from pupil.models.transformers_models import from_transformers, transformers_names
from pupil.run import Run

# (the parsed text, how many classes, whether pretrained weights are loaded where the text asks for them)
Door = Callable[[Spec, int | None, bool], nn.Module]


def load_model(
    spec: str, classes: int | None, *, dense: bool = True, seed: int | None = None, trust: str | None = None
) -> nn.Module:
    """The network that a text names, unmodified, with its preprocessing attached.

    =======================================  =================================================================
    ``pupil:tiny?width=24``                  our own nets, see :mod:`pupil.models.small`
    ``torchvision:NAME?aux_loss=true``       a segmentation network of torchvision
    ``timm:NAME?decoder=64``                 an encoder of timm under our light decoder
    ``smp:ARCHITECTURE/ENCODER``             of segmentation_models_pytorch
    ``transformers:segformer?depths=...``    of transformers: an architecture, a folder, or a hub id
    ``package.module:function?a=1``          called with ``classes=`` (or ``num_classes=``) and the options; the
                                             current directory is importable. Its model is fed RGB in [0, 1] unless
                                             it carries a ``preprocessing`` (see :func:`pupil.models.attach`)
    ``runs/big``                             a run folder: the student trained there, with its weights and, in its
                                             attribute ``classes``, the names of what it tells apart
    =======================================  =================================================================

    With ``dense=False`` the same families name networks that classify a whole image: ``pupil:resnet20``,
    ``torchvision:resnet18``, ``timm:vit_tiny_patch16_224?img_size=32``, ``transformers:vit``.

    Weights are random, and nothing is fetched, unless ``?weights=imagenet`` or a library's own tag asks for
    pretrained ones.

    Args:
        spec: the text.
        classes: how many classes the network tells apart; None keeps those that it was trained for.
        dense: True for a network with a prediction at every position, False for one prediction an image.
        seed: seed of the initial weights, leaving the global generator as it was; None draws from that generator.
        trust: a ``package.module:function`` that may be imported although only a run folder names it.

    Raises:
        UsageError: for a name, option or folder that does not exist, a module that does not import, a package that
            is not installed, weights that cannot be fetched, classes=None where nothing was trained, and a network or
            run of the other kind.

    Example:
        >>> model = load_model("pupil:tiny", classes=5, seed=0)
        >>> count_parameters(model) < 30_000, model.preprocessing.mean
        (True, (0.485, 0.456, 0.406))
        >>> load_model("pupil:resnet20", classes=100, dense=False)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100])
    """
    if classes is not None and classes < 1:
        raise UsageError(f"expected at least one class, got {classes}")
    if Path(spec).is_dir():
        return from_run(Path(spec), classes, trust, dense)
    return _built(spec, classes, seed, dense)


def model_names(*, dense: bool = True) -> Mapping[str, list[str]]:
    """The models that are known by name, by family; each library is imported when its family is first looked up.

    Args:
        dense: those with a prediction at every position, or those with one an image.

    Example:
        >>> list(model_names()), model_names()["pupil"][:4]
        (['pupil', 'torchvision', 'timm', 'smp', 'transformers'], ['tiny', 'small', 'base', 'large'])
        >>> model_names(dense=False)["pupil"][:3]
        ['resnet8', 'resnet14', 'resnet20']
    """
    return _Names(DOORS[dense])


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model has learned or will learn: all its parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def from_code(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """The network that a function of the reader's own builds, which also sees to its weights."""
    text = f"{spec.family}:{spec.name}"
    try:
        build = import_function(text)
    except UsageError as error:
        missing = getattr(error.__cause__, "name", None) == spec.family
        if missing and difflib.get_close_matches(spec.family, FAMILIES, cutoff=0.7):
            raise unknown("model family", spec.family, FAMILIES) from None
        raise
    if classes is None:
        raise UsageError(f"expected a number of classes for {text}, got none: pass classes")
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


def from_run(folder: Path, classes: int | None = None, trust: str | None = None, dense: bool = True) -> nn.Module:
    """The student of a finished run, with its weights, its preprocessing, and the names of its classes."""
    run = Run(folder)
    record = run.rebuildable()
    spec, names = record["model"]["spec"], tuple(record["classes"])
    trained = len(names)
    if dense == (record.get("task") == WHOLE):
        wanted = "another task" if dense else WHOLE
        raise _other_kind(f"the run {str(folder)!r} of {record.get('task')}", dense, f"name a run of {wanted}")
    if parse(spec).family not in FAMILIES and spec != trust:
        raise UsageError(
            f"the run {str(folder)!r} names code, {spec!r}, not run unasked: "
            f"pass --trust {shlex.quote(spec)} to allow it"
        )
    if classes not in (None, trained):
        raise UsageError(
            f"expected {classes} classes, got {trained} in the run {str(folder)!r}: use data of its classes"
        )
    # Its first weights are replaced at once: none are fetched, and a seed keeps the global generator out of it.
    model = _built(spec, trained, seed=0, dense=dense, pretrained=False)
    try:
        model.load_state_dict(run.load_weights(), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"expected the weights in {str(folder)!r} to fit {spec!r}: {reason}") from None
    model.classes = names  # type: ignore[assignment]
    preprocessing = record["model"]["preprocessing"]
    return model if preprocessing is None else attach(model, Preprocessing.from_json(preprocessing))


def _built(spec: str, classes: int | None, seed: int | None, dense: bool, pretrained: bool = True) -> nn.Module:
    parsed = parse(spec)
    door = _door(parsed, dense)
    # Networks are built on the CPU: its generator alone is seeded, and restored.
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return door(parsed, classes, pretrained)


def _door(spec: Spec, dense: bool) -> Door:
    """Who builds this network; refused where it is known to be of the other kind."""
    if spec.family not in FAMILIES:
        return from_code
    door, names = DOORS[dense].get(spec.family, (None, list))
    _, others = DOORS[not dense].get(spec.family, (None, list))
    if door and (spec.name in names() or spec.name not in others()):
        return door
    close = difflib.get_close_matches(spec.name, names(), n=3, cutoff=0.5) or names()[:3]
    instead = [f"{spec.family}:{name}" for name in close] or [f"{family}:NAME" for family in DOORS[dense]]
    raise _other_kind(f"'{spec.family}:{spec.name}'", dense, f"use {', '.join(instead)}")


def _other_kind(what: str, dense: bool, advice: str) -> UsageError:
    return UsageError(f"expected a network with {KINDS[dense]}, got {what} with {KINDS[not dense]}: {advice}")


WHOLE = "classification"
KINDS = {True: "a prediction at every position", False: "one prediction an image"}
# A family is a door and a list of the names behind it; a new one is one line here and a file beside this one.
DOORS: Mapping[bool, Mapping[str, tuple[Door, Callable[[], list[str]]]]] = {
    True: {
        "pupil": (from_pupil, pupil_names),
        "torchvision": (from_torchvision, torchvision_names),
        "timm": (from_timm, timm_names),
        "smp": (from_smp, smp_names),
        "transformers": (from_transformers, transformers_names),
    },
    False: {
        "pupil": (partial(from_pupil, dense=False), partial(pupil_names, dense=False)),
        "torchvision": (torchvision_classifier, partial(torchvision_names, dense=False)),
        "timm": (timm_classifier, timm_names),
        "transformers": (partial(from_transformers, dense=False), partial(transformers_names, dense=False)),
    },
}
FAMILIES = tuple(DOORS[True])


class _Names(Mapping[str, list[str]]):
    """Names by family, asked for one family at a time: timm alone takes seconds to import."""

    def __init__(self, doors: Mapping[str, tuple[Door, Callable[[], list[str]]]]) -> None:
        self._doors = doors

    def __getitem__(self, family: str) -> list[str]:
        _, names = self._doors[family]
        return names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._doors)

    def __len__(self) -> int:
        return len(self._doors)
