"""Taps: any model that also reports the features of named layers, and the dry run that finds their shapes.

A layer's name is the one in `model.named_modules()`, for example `"layer3"`; `"fc:in"` is what `fc` received.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pupil.errors import UsageError, unknown
from pupil.lesson import Activations, Call
from pupil.networks.modes import evaluating

RECEIVED = ":in"


def plain_call(model: nn.Module, image: Any, target: Any = None) -> Activations:
    """The simplest call: the model's answer to the image is the output."""
    return Activations(model(image))


class Tapped(nn.Module):
    """Any model that also reports the features of named layers.

    Wrap first, compile after: `torch.compile(distiller)` sees the taps, a compiled model would not.

    Args:
        model: the network, unmodified; its weights keep their names in `model.state_dict()`.
        layers: names of the layers to tap; `"NAME:in"` taps what a layer received, even if that layer is an
            in-place one such as `nn.ReLU(inplace=True)`.
        call: how the model is asked, normally `Task.call`; it may add features of its own.

    Raises:
        UsageError: for a layer that does not exist (the closest names are listed), for a model that is compiled
            already and, when the model is asked, for a layer that did not run, ran twice, showed no tensor, or
            whose tensor was overwritten in place.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        >>> shown = Tapped(model, ["0"])(torch.zeros(1, 3, 8, 8))
        >>> shown.output.shape, shown.features["0"].shape
        (torch.Size([1, 8, 6, 6]), torch.Size([1, 8, 6, 6]))
    """

    def __init__(self, model: nn.Module, layers: Iterable[str] = (), call: Call = plain_call) -> None:
        super().__init__()
        self.model = model
        self.call = call
        self._recorders, self._handles = _attach(model, layers)

    def forward(self, image: Any, target: Any = None) -> Activations:
        """Ask the model as its call says; tapped features stand beside those that the call names itself."""
        with _recording(self._recorders) as store:
            shown = self.call(self.model, image, target)
        for recorder in self._recorders:
            if problem := recorder.problem(store):
                raise UsageError(f"cannot tap layer {recorder.layer!r}: {problem}")
        return replace(shown, features={**shown.features, **_features(store)})

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the tapped layers."""
        return tuple(recorder.layer for recorder in self._recorders)

    def release(self) -> nn.Module:
        """Take the taps off and give the model back as it came."""
        for handle in self._handles:
            handle.remove()
        self._recorders, self._handles = [], []
        return self.model


@dataclass(frozen=True)
class LayerShape:
    """What a dry run found of one layer.

    Args:
        name: as in `model.named_modules()`.
        kind: the layer's class.
        output: shape of what it returned, None where it did not run or returned no tensor.
        received: shape of what it was given, None likewise.
        problem: why its output cannot be tapped, or None.
        received_problem: why what it received cannot be tapped, or None.
    """

    name: str
    kind: str
    output: tuple[int, ...] | None
    received: tuple[int, ...] | None
    problem: str | None
    received_problem: str | None


@dataclass(frozen=True)
class DryRun:
    """The shapes of one forward pass: of the output, the features that the call names, and every layer.

    Args:
        output: shape of the output where it is a tensor, else None.
        features: shapes of the features that the call itself reports.
        layers: every layer by name, in the order in which they finished.
    """

    output: tuple[int, ...] | None
    features: Mapping[str, tuple[int, ...]]
    layers: Mapping[str, LayerShape]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a layer ("layer3", "fc:in") or of a feature; refused where it cannot be tapped."""
        if name in self.features:
            return self.features[name]
        layer = self.layers.get(name.removesuffix(RECEIVED))
        if layer is None:
            raise unknown("layer", name, [*self.features, *self.layers])
        received = name.endswith(RECEIVED)
        shape, problem = (layer.received, layer.received_problem) if received else (layer.output, layer.problem)
        if shape is None or problem:
            raise UsageError(f"cannot tap layer {name!r}: {problem}")
        return shape


def dry_run(model: nn.Module, image: Any, call: Call = plain_call) -> DryRun:
    """One forward pass that finds every layer's shape and leaves no trace.

    It runs in evaluation mode, without gradients, with the random state forked; the training flag of every
    module is restored.

    Example:
        >>> found = dry_run(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True)), torch.zeros(1, 3, 8, 8))
        >>> found.output, found.shape("1")
        ((1, 8, 6, 6), (1, 8, 6, 6))
        >>> found.layers["0"].problem
        "it is overwritten in place by a later operation: tap a layer after that, or 'NAME:in' of the in-place layer"
    """
    named = {name: module for name, module in model.named_modules() if name}
    names = [f"{name}{end}" for name in named for end in ("", RECEIVED)]
    recorders, handles = _attach(model, names)
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    try:
        random = torch.random.fork_rng(devices=list(devices))
        with random, torch.no_grad(), evaluating(model), _recording(recorders) as store:
            shown = call(model, image, None)
        problems = {recorder.layer: recorder.problem(store) for recorder in recorders}
    finally:
        for handle in handles:
            handle.remove()
    found = {
        name: LayerShape(
            name,
            type(module).__name__,
            output=_shape(store, name),
            received=_shape(store, name + RECEIVED),
            problem=problems[name],
            received_problem=problems[name + RECEIVED],
        )
        for name, module in named.items()
    }
    ran = [name for name in store if not name.endswith(RECEIVED)]
    order = [*ran, *(name for name in named if name not in store)]
    return DryRun(
        tuple(shown.output.shape) if isinstance(shown.output, Tensor) else None,
        {name: tuple(feature.shape) for name, feature in shown.features.items()},
        {name: found[name] for name in order},
    )


def first_tensor(shown: Any) -> Tensor | None:
    """The first tensor inside nested lists, tuples and mappings, or None.

    Example:
        >>> first_tensor({"boxes": [torch.zeros(2, 4)], "scores": torch.zeros(2)}).shape
        torch.Size([2, 4])
    """
    if isinstance(shown, Tensor):
        return shown
    children = shown.values() if isinstance(shown, Mapping) else shown if isinstance(shown, list | tuple) else ()
    return next((found for child in children if (found := first_tensor(child)) is not None), None)


class _Recorder:
    """A hook that writes one layer's tensor into a store, and only while its owner asks the model.

    An object, not a closure, so that models with taps can be copied and pickled.
    """

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.store: dict[str, _Record] | None = None

    def __call__(self, module: nn.Module, args: Any, kwargs: Any, output: Any = None) -> None:
        if self.store is None:
            return
        received = self.layer.endswith(RECEIVED)
        tensor = first_tensor([args, kwargs] if received else output)
        if tensor is not None and received and getattr(module, "inplace", False):
            # The layer is about to overwrite what it received.
            tensor = tensor.clone()
        before = self.store.get(self.layer)
        self.store[self.layer] = _Record(tensor, _version(tensor), before.runs + 1 if before else 1)

    def problem(self, store: Mapping[str, _Record]) -> str | None:
        record = store.get(self.layer)
        if record is None:
            return "it did not run in this forward pass: choose a layer that `pupil layers` shows with a shape"
        if record.runs > 1:
            return f"it runs {record.runs} times in one forward pass: tap a layer before or after it"
        if record.tensor is None:
            return "it shows no tensor: tap one of the layers inside it"
        if record.version != _version(record.tensor):
            return (
                "it is overwritten in place by a later operation: "
                "tap a layer after that, or 'NAME:in' of the in-place layer"
            )
        return None


@dataclass(frozen=True)
class _Record:
    tensor: Tensor | None
    version: int
    runs: int


def _attach(model: nn.Module, layers: Iterable[str]) -> tuple[list[_Recorder], list[Any]]:
    modules = dict(model.named_modules())
    if any(hasattr(m, "_orig_mod") or m._compiled_call_impl is not None for m in modules.values()):
        raise UsageError("expected a model that is not compiled yet, got a compiled one: wrap it first, compile after")
    recorders, handles = [], []
    for layer in dict.fromkeys(layers):
        name = layer.removesuffix(RECEIVED)
        module = modules.get(name) if name else None
        if module is None:
            raise unknown("layer", name, modules)
        recorder = _Recorder(layer)
        hook = module.register_forward_pre_hook if layer.endswith(RECEIVED) else module.register_forward_hook
        handles.append(hook(recorder, with_kwargs=True))
        recorders.append(recorder)
    return recorders, handles


@contextmanager
def _recording(recorders: list[_Recorder]) -> Iterator[dict[str, _Record]]:
    store: dict[str, _Record] = {}
    for recorder in recorders:
        recorder.store = store
    try:
        yield store
    finally:
        for recorder in recorders:
            recorder.store = None


def _features(store: Mapping[str, _Record]) -> dict[str, Tensor]:
    return {layer: record.tensor for layer, record in store.items() if record.tensor is not None}


def _shape(store: Mapping[str, _Record], name: str) -> tuple[int, ...] | None:
    record = store.get(name)
    return None if record is None or record.tensor is None else tuple(record.tensor.shape)


def _version(tensor: Tensor | None) -> int:
    # Under compilation and in inference mode tensors count no versions; the eager dry run has looked by then.
    if tensor is None or torch.compiler.is_compiling() or tensor.is_inference():
        return 0
    return tensor._version
