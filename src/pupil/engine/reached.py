"""Finds the parts of a student that no term of the objective reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from pupil.distiller import Distiller
from pupil.engine.untouched import untouched


def freeze_unreached(
    distiller: Distiller, batches: Iterable[tuple[Any, Any, Tensor]], accelerator: Accelerator | None = None
) -> list[str]:
    """Freeze the student's parameters that no term depends on, such as an auxiliary head without a loss.

    They would never get a gradient, and data parallel training would wait for it. The first batch decides where it
    reaches everything; the others are asked only because a layer may be skipped at random. The random state, the
    buffers and the parameters' gradients stay as they were.

    Args:
        distiller: terms count whatever their schedule says now, unless their weight is the number 0.
        batches: some batches (image, target, sample) on the distiller's device.
        accelerator: where several processes train, what any of them reaches stays free.

    Returns:
        The names of the parameters that were frozen, as in `student.named_parameters()`.
    """
    left = {name: each for name, each in distiller.student.model.named_parameters() if each.requires_grad}
    with untouched(distiller):
        for image, target, sample in batches:
            lesson = distiller.lesson(image, target, sample=sample)
            terms = [term.unweighted(lesson) for term in distiller.terms.values() if term.weight != 0.0]
            reached = _reached(sum(terms), left)
            left = {name: each for name, each in left.items() if name not in reached}
            if accelerator and accelerator.num_processes > 1:
                # After each batch, so that all stop asking after the same one: losses may gather within a lesson.
                others = gather_object([set(left)])
                left = {name: each for name, each in left.items() if all(name in other for other in others)}
            if not left:
                break
    for each in left.values():
        each.requires_grad_(False)
    return list(left)


def _reached(objective: Tensor | int, parameters: Mapping[str, Tensor]) -> set[str]:
    if not isinstance(objective, Tensor) or not objective.requires_grad or not parameters:
        return set()
    gradients = torch.autograd.grad(objective, list(parameters.values()), allow_unused=True)
    return {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is not None}
