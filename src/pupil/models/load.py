"""The doors to models: one text names any network, ours, other libraries', the reader's own, or that of a run."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from pupil.errors import UsageError, unknown
from pupil.imports import import_function
from pupil.models.preprocessing import IMAGENET, PLAIN, Preprocessing, attach
from pupil.models.small import SIZES, small_net
from pupil.models.smp_models import from_smp, smp_names
from pupil.models.spec import Spec, arguments, parse, signature, untrained
from pupil.models.timm_models import from_timm, timm_names
from pupil.models.torchvision_models import from_torchvision, torchvision_names
from pupil.models.transformers_models import from_transformers, transformers_names
from pupil.run import Run

# (the parsed text, how many classes, whether pretrained weights are loaded where the text asks for them)
Door = Callable[[Spec, int | None, bool], nn.Module]


def load_model(spec: str, classes: int | None, *, seed: int | None = None, trust: str | None = None) -> nn.Module:
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

    Weights are random, and nothing is fetched, unless ``?weights=imagenet`` or a library's own tag asks for
    pretrained ones.

    Args:
        spec: the text.
        classes: how many classes the network tells apart; None keeps those that it was trained for.
        seed: seed of the initial weights, leaving the global generator as it was; None draws from that generator.
        trust: a ``package.module:function`` that may be imported although only a run folder names it.

    Raises:
        UsageError: for a name, option or folder that does not exist, a module that does not import, a package that
            is not installed, weights that cannot be fetched, and classes=None where nothing was trained.

    Example:
        >>> model = load_model("pupil:tiny", classes=5, seed=0)
        >>> count_parameters(model) < 30_000, model.preprocessing == IMAGENET
        (True, True)
    """
    if classes is not None and classes < 1:
        raise UsageError(f"expected at least one class, got {classes}")
    if Path(spec).is_dir():
        return from_run(Path(spec), classes, trust)
    return _built(spec, classes, seed)


def model_names() -> Mapping[str, list[str]]:
    """The models that are known by name, by family; each library is imported when its family is first looked up.

    Example:
        >>> list(model_names()), model_names()["pupil"]
        (['pupil', 'torchvision', 'timm', 'smp', 'transformers'], ['tiny', 'small', 'base', 'large'])
    """
    return _Names()


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model has learned or will learn: all its parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def from_pupil(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """One of our own small nets, which are never pretrained."""
    if classes is None:
        raise untrained(spec)
    options = arguments(small_net, spec.options, f"pupil:{spec.name}", frozenset({"name", "classes"}))
    return attach(small_net(spec.name, classes, **options), IMAGENET)


def from_code(spec: Spec, classes: int | None, pretrained: bool) -> nn.Module:
    """The network that a function of the reader's own builds, which also sees to its weights."""
    text = f"{spec.family}:{spec.name}"
    try:
        build = import_function(text)
    except UsageError as error:
        missing = getattr(error.__cause__, "name", None) == spec.family
        if missing and difflib.get_close_matches(spec.family, DOORS, cutoff=0.7):
            raise unknown("model family", spec.family, DOORS) from None
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


def from_run(folder: Path, classes: int | None = None, trust: str | None = None) -> nn.Module:
    """The student of a finished run, with its weights, its preprocessing, and the names of its classes."""
    run = Run(folder)
    record = run.rebuildable()
    spec, names = record["model"]["spec"], tuple(record["classes"])
    trained = len(names)
    if parse(spec).family not in DOORS and spec != trust:
        raise UsageError(
            f"the run {str(folder)!r} names code, {spec!r}, not run unasked: "
            f"pass --trust {shlex.quote(spec)} to allow it"
        )
    if classes not in (None, trained):
        raise UsageError(
            f"expected {classes} classes, got {trained} in the run {str(folder)!r}: use data of its classes"
        )
    # Its first weights are replaced at once: none are fetched, and a seed keeps the global generator out of it.
    model = _built(spec, trained, seed=0, pretrained=False)
    try:
        model.load_state_dict(run.load_weights(), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"expected the weights in {str(folder)!r} to fit {spec!r}: {reason}") from None
    model.classes = names  # type: ignore[assignment]
    preprocessing = record["model"]["preprocessing"]
    return model if preprocessing is None else attach(model, Preprocessing.from_json(preprocessing))


def _built(spec: str, classes: int | None, seed: int | None, pretrained: bool = True) -> nn.Module:
    parsed = parse(spec)
    door, _ = DOORS.get(parsed.family, (from_code, None))
    # Networks are built on the CPU: its generator alone is seeded, and restored.
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return door(parsed, classes, pretrained)


# A family is a door and a list of the names behind it; a new one is one line here and a file beside this one.
DOORS: Mapping[str, tuple[Door, Callable[[], list[str]]]] = {
    "pupil": (from_pupil, lambda: list(SIZES)),
    "torchvision": (from_torchvision, torchvision_names),
    "timm": (from_timm, timm_names),
    "smp": (from_smp, smp_names),
    "transformers": (from_transformers, transformers_names),
}
FAMILIES = tuple(DOORS)


class _Names(Mapping[str, list[str]]):
    """Names by family, asked for one family at a time: timm alone takes seconds to import."""

    def __getitem__(self, family: str) -> list[str]:
        _, names = DOORS[family]
        return names()

    def __iter__(self) -> Iterator[str]:
        return iter(DOORS)

    def __len__(self) -> int:
        return len(DOORS)
