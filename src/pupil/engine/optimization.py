"""Optimizers, and the learning rate as a function of progress."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer

from pupil.engine.options import Training


def make_optimizer(parameters: Iterable[nn.Parameter], options: Training) -> Optimizer:
    """The optimizer that the options name, over one group of parameters."""
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=options.learning_rate, momentum=options.momentum, weight_decay=options.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=options.weight_decay)


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
