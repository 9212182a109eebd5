"""Self-distillation of where a layer looks, from the next deeper layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.errors import UsageError, listed
from pupil.lesson import Lesson, Weight
from pupil.losses.sad import SADLoss
from pupil.methods.layers import last_feature
from pupil.methods.plan import Plan, weighing
from pupil.networks.grids import map_of
from pupil.schedules import after
from pupil.taps import RECEIVED, DryRun, Tapped, dry_run
from pupil.tasks.task import Task

PAPER = SADLoss.paper
MOST = 3  # blocks in a chain that nobody has named: of the authors' four the first one is left out


def sad(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layers: str | None = None,
    temperature: float = 1.0,
    start: float = 0.67,
    ramp: float = 0.0,
    share: float = 10.0,
    weight: float | None = None,
) -> Plan:
    """Each block of a trained network matches the spatial attention of its next deeper block (SAD).

    L = L_task + weight * sum over neighbouring blocks of L_sad(block, next block)

    No teacher is asked. Attention that is not yet worth looking at teaches nothing, so the terms begin late in the run.

    Args:
        layers: the blocks, separated by commas, shallow to deep. None takes the last three of those that the network
            names in its attribute `blocks`, so of four the pairs 2-3 and 3-4 as the authors do; and of a network that
            names none the last three of the deepest layers of each resolution.
        temperature: softens the attention; raise it where the terms stay at zero, or near 2.
        start: share of the run after which the terms begin; the paper trains 40,000 of 60,000 steps without.
        ramp: share of the run over which their weight grows to its full value.
        share: pull of each term relative to the labels, where its shallower block is. Late in a run labels pull little:
            on small lane networks the paper's weight is a share of 20 to 50.
        weight: fixes the weight of each term instead; 0.1 in the paper.
    """
    if ramp < 0 or start + ramp > 1:
        raise UsageError(f"expected a ramp from 0 to {1 - start:.2f}, the rest of the run, got {ramp}: shorten it")
    found, seen = dry_run(student, image, task.call), _seen(student, image)
    names = _named(layers) if layers else _blocks(student, found, task, seen)[-MOST:]
    if len(names) < 2:
        raise UsageError(
            f"expected two blocks or more to distill attention between, got {listed(names) or 'none'} in "
            f"{type(student).__name__}: name them with --set layers=NAME,NAME, shallow to deep (see `pupil layers`)"
        )
    to_maps = {name: _to_map(name, found, seen) for name in names}
    schedule = after(start, partial(_risen, start=start, ramp=ramp) if ramp else 1.0)
    loss, inputs = task.objective()
    terms = {"task": Term(loss, inputs)}
    for pair in pairwise(names):
        maps = partial(_maps, layers=pair, to_maps=[to_maps[name] for name in pair])
        # Each term has a share, and so a weight, of its own.
        own: Weight = weighing(share, weight, schedule)
        terms[f"sad_{pair[0].replace('.', '_')}"] = Term(SADLoss(temperature=temperature), maps, own)
    return Plan(Distiller(Tapped(student, names, task.call), None, terms))


def _maps(lesson: Lesson, *, layers: Sequence[str], to_maps: Sequence[nn.Module]) -> tuple[Tensor, ...]:
    """The features of a block and of the next one, as maps."""
    return tuple(to_map(lesson.student.features[name]) for name, to_map in zip(layers, to_maps, strict=True))


def _risen(lesson: Lesson, *, start: float, ramp: float) -> float:
    return min(1.0, (lesson.progress - start) / ramp)


def _named(layers: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in layers.split(",") if name.strip()))


def _blocks(student: nn.Module, found: DryRun, task: Task, seen: Sequence[int]) -> list[str]:
    """The blocks that a network names, or the deepest layer of each resolution on its way down to the coarsest."""
    named = getattr(student, "blocks", None)
    # Networks of other people have modules of that name.
    if isinstance(named, tuple | list) and named and all(isinstance(name, str) for name in named):
        return list(named)
    layers = list(found.layers)
    with suppress(UsageError):
        # What the classifier receives is looked at, what it and its own parts return is not.
        layers = layers[: layers.index(last_feature(student, found, len(task.classes)).removesuffix(RECEIVED))]
    deepest: dict[tuple[int, int], str] = {}
    for name in layers:
        layer = found.layers[name]
        shape = None if layer.output is None or layer.problem else _map_shape(layer.output, seen)
        if shape is None or any(math.prod(shape) > math.prod(size) for size in deepest):
            continue
        # A block comes after its own parts, and before parts of whatever else works at its resolution.
        if name.count(".") <= deepest.get(shape, name).count("."):
            deepest[shape] = name
    return list(deepest.values())


def _map_shape(shape: tuple[int, ...], seen: Sequence[int]) -> tuple[int, int] | None:
    """(H, W) of a feature that is a map of several positions, however it is laid out."""
    laid_out = tuple((map_of(shape, seen) or nn.Identity())(torch.empty(shape, device="meta")).shape)
    return (laid_out[2], laid_out[3]) if len(laid_out) == 4 and math.prod(laid_out[2:]) > 1 else None


def _to_map(name: str, found: DryRun, seen: Sequence[int]) -> nn.Module:
    shape = found.shape(name)
    if _map_shape(shape, seen) is None:
        raise UsageError(
            f"expected a map (N, C, H, W) at layer {name!r}, got {shape}: choose layers before any pooling"
        )
    return map_of(shape, seen) or nn.Identity()


def _seen(model: nn.Module, image: Tensor) -> tuple[int, int]:
    """The size of the image that the network itself receives."""
    preprocessing = getattr(model, "preprocessing", None)
    height, width = (preprocessing(image) if preprocessing else image).shape[-2:]
    return height, width
