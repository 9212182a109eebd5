"""The doors to models: one text names any network, ours, other libraries', the reader's own, or that of a run."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pupil.errors import UsageError, unknown
from pupil.imports import called, import_function
from pupil.lesson import KINDS, Kind
from pupil.models.preprocessing import PLAIN, Preprocessing, attach
from pupil.models.pupil_models import from_pupil, pupil_names
from pupil.models.smp_models import from_smp, smp_names
from pupil.models.spec import Spec, arguments, parse, signature
from pupil.models.timm_models import from_timm, timm_classifier, timm_detector, timm_names
from pupil.models.torchvision_detectors import torchvision_detector
from pupil.models.torchvision_models import from_torchvision, torchvision_classifier, torchvision_names
from pupil.models.transformers_models import from_transformers, transformers_names
from pupil.networks.background import check_background
from pupil.run import Run

# (the parsed text, how many classes, whether pretrained weights are loaded where the text asks for them)
Door = Callable[[Spec, int | None, bool], nn.Module]


def load_model(
    spec: str, classes: int | None, *, kind: Kind = "dense", seed: int | None = None, trust: str | None = None
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

    With ``kind="whole"`` the same families name networks that classify a whole image: ``pupil:resnet20``,
    ``torchvision:resnet18``, ``timm:vit_tiny_patch16_224?img_size=32``, ``transformers:vit``. With ``kind="boxes"``
    they name detectors of torchvision's classes, which normalise for themselves: ``pupil:tiny-retinanet``,
    ``torchvision:fasterrcnn_resnet50_fpn?min_size=320``, ``timm:resnet18?detector=fcos``.

    Weights are random, and nothing is fetched, unless ``?weights=imagenet`` or a library's own tag asks for
    pretrained ones.

    Args:
        spec: the text.
        classes: how many classes the network tells apart, a detector's background not counted; None keeps those that it
            was trained for.
        kind: what the network answers with: "dense" a prediction at every position, "whole" one an image, "boxes" those
            of objects.
        seed: seed of the initial weights, leaving the global generator as it was; None draws from that generator.
        trust: a ``package.module:function`` that may be imported although only a run folder names it.

    Raises:
        UsageError: for a name, option or folder that does not exist, a module that does not import, a package that
            is not installed, weights that cannot be fetched, classes=None where nothing was trained, and a network or
            run of another kind.

    Example:
        >>> model = load_model("pupil:tiny", classes=5, seed=0)
        >>> count_parameters(model) < 30_000, model.preprocessing.mean
        (True, (0.485, 0.456, 0.406))
        >>> load_model("pupil:resnet20", classes=100, kind="whole")(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 100])
    """
    if classes is not None and classes < 1:
        raise UsageError(f"expected at least one class, got {classes}")
    if Path(spec).is_dir():
        return from_run(Path(spec), classes, trust, kind)
    return _built(spec, classes, seed, kind)


def model_names(*, kind: Kind = "dense") -> Mapping[str, list[str]]:
    """The models that are known by name, by family; each library is imported when its family is first looked up.

    Args:
        kind: what they answer with, as in :func:`load_model`.

    Example:
        >>> list(model_names()), model_names()["pupil"][:4]
        (['pupil', 'torchvision', 'timm', 'smp', 'transformers'], ['tiny', 'small', 'base', 'large'])
        >>> model_names(kind="whole")["pupil"][:3]
        ['resnet8', 'resnet14', 'resnet20']
    """
    return _Names(DOORS[kind])


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model has learned or will learn: all its parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def from_code(spec: Spec, classes: int | None, pretrained: bool, kind: Kind = "dense") -> nn.Module:
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
    model = called(text, build, **{name: classes}, **arguments(build, spec.options, text, frozenset({name})))
    if not isinstance(model, nn.Module):
        raise UsageError(f"expected {text} to return a torch.nn.Module, got {type(model).__name__}")
    if kind == "boxes":
        check_background(model, classes, text, name)
    # A detector normalises in its own transform.
    return model if kind == "boxes" or hasattr(model, "preprocessing") else attach(model, PLAIN)


def from_run(folder: Path, classes: int | None = None, trust: str | None = None, kind: Kind = "dense") -> nn.Module:
    """The student of a finished run, with its weights, its preprocessing, and the names of its classes."""
    run = Run(folder)
    record = run.rebuildable()
    spec, names = record["model"]["spec"], tuple(record["classes"])
    trained = len(names)
    theirs = kind_of_run(record)
    if theirs != kind:
        wanted = " or ".join(task for task, each in TASKS.items() if each == kind)
        raise _other_kind(f"the run {str(folder)!r} of {record.get('task')}", [theirs], kind, f"name a run of {wanted}")
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
    model = _built(spec, trained, seed=0, kind=kind, pretrained=False)
    try:
        model.load_state_dict(run.load_weights(), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"expected the weights in {str(folder)!r} to fit {spec!r}: {reason}") from None
    model.classes = names  # type: ignore[assignment]
    preprocessing = record["model"]["preprocessing"]
    return model if preprocessing is None else attach(model, Preprocessing.from_json(preprocessing))


def kind_of_run(record: Mapping[str, Any]) -> Kind:
    """What the student of a run answers with, by the run's task."""
    return TASKS.get(str(record.get("task")), "dense")


def _built(spec: str, classes: int | None, seed: int | None, kind: Kind, pretrained: bool = True) -> nn.Module:
    parsed = parse(spec)
    door = _door(parsed, kind)
    # Networks are built on the CPU: its generator alone is seeded, and restored.
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return door(parsed, classes, pretrained)


def _door(spec: Spec, kind: Kind) -> Door:
    """Who builds this network; refused where it is known to be of another kind."""
    if spec.family not in FAMILIES:
        return partial(from_code, kind=kind)
    door, names = DOORS[kind].get(spec.family, (None, list))
    # A name of timm's is of every kind.
    lists = {each: DOORS[each][spec.family][1] for each in DOORS if spec.family in DOORS[each]}
    others = [each for each, listed in lists.items() if listed is not names]
    if door and others:
        others = [] if spec.name in names() else [each for each in others if spec.name in lists[each]()]
    if door and not others:
        return door
    close = difflib.get_close_matches(spec.name, names(), n=3, cutoff=0.5)
    close += [name for name in names() if spec.name in name and name not in close]
    close = close[:3] or names()[:3]
    instead = [f"{spec.family}:{name}" for name in close] or [f"{family}:NAME" for family in DOORS[kind]]
    raise _other_kind(f"'{spec.family}:{spec.name}'", others, kind, f"use {', '.join(instead)}")


def _other_kind(what: str, theirs: Sequence[Kind], kind: Kind, advice: str) -> UsageError:
    got = " or ".join(KINDS[each] for each in theirs)
    return UsageError(f"expected a network with {KINDS[kind]}, got {what} with {got}: {advice}")


TASKS: Mapping[str, Kind] = {"segmentation": "dense", "lanes": "dense", "classification": "whole", "detection": "boxes"}
# A family is a door and a list of the names behind it; a new one is one line here and a file beside this one.
DOORS: Mapping[Kind, Mapping[str, tuple[Door, Callable[[], list[str]]]]] = {
    "dense": {
        "pupil": (from_pupil, pupil_names),
        "torchvision": (from_torchvision, torchvision_names),
        "timm": (from_timm, timm_names),
        "smp": (from_smp, smp_names),
        "transformers": (from_transformers, transformers_names),
    },
    "whole": {
        "pupil": (partial(from_pupil, kind="whole"), partial(pupil_names, "whole")),
        "torchvision": (torchvision_classifier, partial(torchvision_names, "whole")),
        "timm": (timm_classifier, timm_names),
        "transformers": (partial(from_transformers, kind="whole"), partial(transformers_names, "whole")),
    },
    "boxes": {
        "pupil": (partial(from_pupil, kind="boxes"), partial(pupil_names, "boxes")),
        "torchvision": (torchvision_detector, partial(torchvision_names, "boxes")),
        "timm": (timm_detector, timm_names),
    },
}
FAMILIES = tuple(DOORS["dense"])


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
