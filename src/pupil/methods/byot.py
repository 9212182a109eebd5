"""Self-distillation from the student's last classifier to early ones on its shallow layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from pupil.distiller import Distiller, Term
from pupil.errors import UsageError
from pupil.lesson import Lesson
from pupil.losses.byot import BYOTLoss, Shown
from pupil.methods.layers import Layer, last_feature
from pupil.methods.plan import Plan
from pupil.networks.grids import map_of
from pupil.taps import DryRun, Tapped, dry_run
from pupil.tasks.task import Task

PAPER = BYOTLoss.paper
MOST = 3  # early classifiers, as on the four stages of a residual network


def byot(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layers: str | None = None,
    temperature: float = 3.0,
    soft_weight: float = 0.5,
    hint_weight: float = 0.03,
    weight: float = 1.0,
) -> Plan:
    """Early classifiers on the student's shallow layers learn from the labels and from its last layer (BYOT).

    L = L_task + weight * sum over early classifiers of
        (1 - soft_weight) CE(labels) + soft_weight temperature² KL(last || early) + hint_weight |early - last feature|²

    No teacher is asked. The early classifiers and their bottlenecks are trained beside the student and left behind.
    The mixture is the method's own, and the terms of the early classifiers are of the task loss's own size, so there is
    no share.

    Args:
        layers: the shallow layers, separated by commas, the finest first. None takes the deepest layer of each
            resolution above the coarsest, three at most.
        temperature: softens both predictions.
        soft_weight: how much the last classifier counts against the labels.
        hint_weight: weight of the features.
        weight: of all early classifiers.
    """
    found = dry_run(student, image, task.call)
    seen = _seen(student, image)
    last = last_feature(student, found, len(task.classes))
    names = [name.strip() for name in layers.split(",")] if layers else _shallow(found, seen, last)
    to_maps = [map_of(found.shape(name), seen) or nn.Identity() for name in names]
    shapes = [_laid_out((name, found.shape(name)), to_map) for name, to_map in zip(names, to_maps, strict=True)]
    shape = found.shape(last)
    height = shape[2] if len(shape) == 4 else min(each[2] for each in _maps(found, seen).values())
    loss = BYOTLoss(
        [each[1] for each in shapes],
        shape[1],
        len(task.classes),
        strides=[max(1, round(each[2] / height)) for each in shapes],
        temperature=temperature,
        soft_weight=soft_weight,
        hint_weight=hint_weight,
        ignore_index=getattr(task, "ignore_index", -100),
    )
    task_loss, inputs = task.objective()
    terms = {
        "task": Term(task_loss, inputs),
        "byot": Term(loss, partial(_inputs, layers=names, last=last, to_maps=to_maps), weight),
    }
    return Plan(Distiller(Tapped(student, [*names, last], task.call), None, terms))


def _inputs(
    lesson: Lesson, *, layers: Sequence[str], last: str, to_maps: Sequence[nn.Module]
) -> tuple[list[Tensor], Shown, Tensor]:
    shown = lesson.student
    maps = [to_map(shown.features[name]) for name, to_map in zip(layers, to_maps, strict=True)]
    return maps, (shown.features[last], shown.output), lesson.target


def _shallow(found: DryRun, seen: Sequence[int], last: str) -> list[str]:
    """The deepest layer of each resolution, before the coarsest one is reached."""
    classifier = last.partition(":")[0]
    maps = _maps(found, seen)
    before = list(found.layers)[: list(found.layers).index(classifier)]
    maps = {name: shape for name, shape in maps.items() if name in before}
    coarsest = min((math.prod(shape[2:]) for shape in maps.values()), default=0)
    deepest: dict[tuple[int, ...], str] = {}
    for name, shape in maps.items():
        if math.prod(shape[2:]) == coarsest:
            break
        # A whole block rather than a part of one.
        if name.count(".") <= deepest.get(shape[2:], name).count("."):
            deepest[shape[2:]] = name
    # A network of one resolution has no stages; its shallow layer is half way up.
    names = list(deepest.values())[-MOST:] or list(maps)[(len(maps) - 1) // 2 :][:1]
    if not names:
        raise UsageError(
            "expected layers with maps (N, C, H, W) before the classifier, got none: "
            "name them with --set layers=NAME,NAME (see `pupil layers`)"
        )
    return names


def _maps(found: DryRun, seen: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The layers that show maps of more than one position, by name, with their shapes as (N, C, H, W)."""
    shapes = {
        name: _laid_out((name, layer.output), map_of(layer.output, seen) or nn.Identity())
        for name, layer in found.layers.items()
        if layer.output is not None and layer.problem is None
    }
    return {name: shape for name, shape in shapes.items() if len(shape) == 4 and math.prod(shape[2:]) > 1}


def _laid_out(layer: Layer, to_map: nn.Module) -> tuple[int, ...]:
    return tuple(to_map(torch.empty(layer[1], device="meta")).shape)


def _seen(model: nn.Module, image: Tensor) -> tuple[int, int]:
    """The size of the image that the network itself receives."""
    preprocessing = getattr(model, "preprocessing", None)
    height, width = (preprocessing(image) if preprocessing else image).shape[-2:]
    return height, width
