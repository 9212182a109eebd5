"""Optimizers, and the learning rate as a function of progress."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import Parameter
from torch.optim import Optimizer

from pupil.distiller import Distiller
from pupil.engine.options import Training
from pupil.errors import UsageError, unknown

BACKBONES = ("backbone", "encoder")
BASE = "base_rate"

Make = Callable[[Iterable[Parameter]], Optimizer]


def make_optimizers(
    distiller: Distiller, options: Training, by_term: Mapping[str, Make] | None = None
) -> list[Optimizer]:
    """The optimizer that the options name for all that trains, and one for each term that brings its own.

    Args:
        distiller: what trains; the parameters of a term in `by_term` go to that term's optimizer alone.
        options: kind, rates and decay of the first optimizer. Its parameters outside the student's backbone learn
            `head_rate` times as fast.
        by_term: makes the optimizer of a term's own parameters, by the name of the term.

    Raises:
        UsageError: if there is nothing to train, a term is unknown or has no parameters, or there is no backbone to
            tell a head from.
    """
    optimizers, taken = [], set[int]()
    for name, make in (by_term or {}).items():
        if name not in distiller.terms:
            raise unknown("term", name, distiller.terms)
        own = [each for each in distiller.terms[name].parameters() if each.requires_grad]
        if not own:
            raise UsageError(f"expected term {name!r} to bring parameters for its optimizer, got none: leave it out")
        optimizers.append(make(own))
        taken |= set(map(id, own))
    rest = [each for each in distiller.parameters() if each.requires_grad and id(each) not in taken]
    if not rest:
        raise UsageError("expected a student that learns, got no parameter that requires a gradient: unfreeze some")
    optimizers.insert(0, _named(_groups(rest, distiller.student.model, options), options))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault(BASE, float(group["lr"]))
    return optimizers


def check_optimizers(distiller: Distiller, optimizers: Sequence[Optimizer]) -> None:
    """Refuse to train where a parameter would be stepped twice, never, or belongs to a teacher that does not learn.

    Raises:
        UsageError: naming the parameter.
    """
    times = Counter(id(each) for optimizer in optimizers for each in parameters_of(optimizer))
    for name, each in distiller.named_parameters():
        if each.requires_grad and times[id(each)] != 1:
            raise UsageError(
                f"expected parameter {name!r} in exactly one optimizer, got it in {times[id(each)]}: "
                "share the trainable parameters out among the optimizers"
            )
    # A teacher registers the parameters that train with the student, and hides those that stay as they are.
    teacher = distiller.teacher
    registered = set(map(id, teacher.parameters())) if isinstance(teacher, nn.Module) else set()
    hidden = getattr(teacher, "model", None)
    for name, each in hidden.named_parameters() if isinstance(hidden, nn.Module) else ():
        if id(each) in times and id(each) not in registered:
            raise UsageError(
                f"expected a teacher of its own, got {name!r} of the teacher among the student's parameters: "
                "pass copy.deepcopy(model) as teacher, or freeze what both share"
            )


def parameters_of(optimizer: Optimizer) -> list[Parameter]:
    """All that an optimizer steps."""
    return [each for group in optimizer.param_groups for each in group["params"]]


def find_backbone(model: nn.Module, names: str | None = None) -> list[nn.Module]:
    """The parts of a network that are usually pretrained.

    Args:
        model: the network.
        names: the parts' names in `model.named_modules()`, separated by commas; by default the outermost part named
            "backbone" or "encoder".

    Raises:
        UsageError: where there is no such part.
    """
    named: dict[str, nn.Module] = {path: module for path, module in model.named_modules() if path}
    if names is not None:
        chosen = [name.strip() for name in names.split(",")]
        if wrong := [name for name in chosen if name not in named]:
            raise unknown("part of the student as --backbone", wrong[0], named)
        return [named[name] for name in chosen]
    found = [path for path in named if path.rpartition(".")[2] in BACKBONES]
    if not found:
        parts = ",".join(child for child, _ in model.named_children())
        raise UsageError(
            f"expected a part named backbone or encoder in the student, got {parts}: pass those that are the backbone "
            "as --backbone NAME,NAME"
        )
    return [named[min(found, key=lambda path: path.count("."))]]


def learning_rate_factor(progress: float, options: Training) -> float:
    """The learning rate at this moment of the run, relative to its highest.

    It rises in a straight line over `warmup`, then follows poly ((1 - x) ** 0.9), cosine, falls to a tenth at each
    milestone, or stays constant, with x the share of the remaining run that is done. Milestones are moments of the
    whole run.

    Example:
        >>> options = Training(schedule="cosine", warmup=0.0)
        >>> [round(learning_rate_factor(progress, options), 3) for progress in (0.0, 0.5, 1.0)]
        [1.0, 0.5, 0.0]
        >>> options = Training(schedule="step", milestones="0.5,0.75", warmup=0.0)
        >>> [round(learning_rate_factor(progress, options), 3) for progress in (0.4, 0.5, 0.8)]
        [1.0, 0.1, 0.01]
    """
    if progress < options.warmup:
        # The first step moves: a factor of exactly zero would waste it.
        return max(progress / options.warmup, 0.01)
    done = (progress - options.warmup) / (1.0 - options.warmup)
    match options.schedule:
        case "poly":
            return float((1.0 - done) ** 0.9)
        case "cosine":
            return (1.0 + math.cos(math.pi * done)) / 2.0
        case "step":
            return float(0.1 ** sum(progress >= fall for fall in options.falls()))
        case "constant":
            return 1.0


def set_learning_rates(optimizers: Iterable[Optimizer], progress: float, options: Training) -> float:
    """Set the rates of this step, each group's its own highest times the schedule, and return the backbone's."""
    factor = learning_rate_factor(progress, options)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group[BASE] * factor
    return options.learning_rate * factor


def _groups(parameters: Sequence[Parameter], student: nn.Module, options: Training) -> list[dict[str, Any]]:
    if options.head_rate == 1.0 and options.backbone is None:
        return [{"params": list(parameters)}]
    backbone = {id(each) for part in find_backbone(student, options.backbone) for each in part.parameters()}
    inside = [each for each in parameters if id(each) in backbone]
    outside = [each for each in parameters if id(each) not in backbone]
    rates = (options.learning_rate, options.learning_rate * options.head_rate)
    groups = zip((inside, outside), rates, strict=True)
    return [{"params": members, "lr": rate} for members, rate in groups if members]


def _named(groups: list[dict[str, Any]], options: Training) -> Optimizer:
    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "sgd":
        momentum, nesterov = options.momentum, options.nesterov
        return torch.optim.SGD(groups, lr=rate, momentum=momentum, weight_decay=decay, nesterov=nesterov)
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay)
