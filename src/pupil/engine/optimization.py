"""Optimizers, and the learning rate as a function of progress."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim import Optimizer

from pupil.distiller import Distiller
from pupil.engine.options import Training
from pupil.errors import UsageError


def make_optimizer(parameters: Iterable[nn.Parameter], options: Training) -> Optimizer:
    """The optimizer that the options name, over one group of parameters.

    Raises:
        UsageError: if there is nothing to train.
    """
    parameters = list(parameters)
    if not parameters:
        raise UsageError("expected a student that learns, got no parameter that requires a gradient: unfreeze some")
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=options.learning_rate, momentum=options.momentum, weight_decay=options.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=options.weight_decay)


def check_optimizers(distiller: Distiller, optimizers: Sequence[Optimizer]) -> None:
    """Refuse to train where a parameter would be stepped twice, never, or belongs to a teacher that does not learn.

    Raises:
        UsageError: naming the parameter.
    """
    stepped = [each for optimizer in optimizers for group in optimizer.param_groups for each in group["params"]]
    times = Counter(map(id, stepped))
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


def learning_rate_factor(progress: float, options: Training) -> float:
    """The learning rate at this moment of the run, relative to its highest.

    It rises in a straight line over `warmup`, then follows poly ((1 - x) ** 0.9), cosine, or stays constant, with
    x the share of the remaining run that is done.

    Example:
        >>> options = Training(schedule="cosine", warmup=0.0)
        >>> [round(learning_rate_factor(progress, options), 3) for progress in (0.0, 0.5, 1.0)]
        [1.0, 0.5, 0.0]
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
        case "constant":
            return 1.0


def set_learning_rate(optimizer: Optimizer, progress: float, options: Training) -> float:
    """Set the learning rate of this step and return it."""
    rate = options.learning_rate * learning_rate_factor(progress, options)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate
