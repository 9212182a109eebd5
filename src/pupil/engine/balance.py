"""Measures what a share is worth: the pull of each term beside the pull of the labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pupil.distiller import Distiller, Term
from pupil.engine.untouched import untouched
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson
from pupil.schedules import Share

TASK = "task"
# What float16 would round to zero counts too; both gradients carry it, so it leaves their ratio.
SCALE = 2.0**10


def unmeasured(distiller: Distiller, progress: float) -> dict[str, Share]:
    """The shares that act now and have no ratio yet, by the name of their term."""
    now = Lesson(None, None, Activations(None), progress=progress)
    shares = {name: term.weight for name, term in distiller.terms.items() if isinstance(term.weight, Share)}
    return {name: share for name, share in shares.items() if share.ratio is None and share.acts(now)}


def ratios(distiller: Distiller) -> dict[str, float]:
    """The ratios measured so far, by the name of their term."""
    shares = {name: term.weight for name, term in distiller.terms.items() if isinstance(term.weight, Share)}
    return {name: share.ratio for name, share in shares.items() if share.ratio is not None}


def set_ratios(distiller: Distiller, known: Mapping[str, float]) -> None:
    """Give shares the ratios of an earlier measurement."""
    for name, ratio in known.items():
        weight = distiller.terms[name].weight
        if isinstance(weight, Share):
            weight.ratio = ratio


def balance(
    distiller: Distiller,
    batches: Iterable[tuple[Any, Any, Any]],
    *,
    progress: float = 0.0,
    mean: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, float]:
    """Measure the ratio of every share that acts now, and set it.

    ratio = |gradient of the task loss| / |gradient of the term|, both where the term looks: at the student's output or
    at the tapped layers that its inputs read. Norms are averaged over the batches before they are divided. The
    random state, the buffers and the parameters' gradients stay as they were.

    Args:
        distiller: its term named "task" is what the others are compared with.
        batches: some batches (image, target, sample) on the distiller's device; 8 are plenty.
        progress: this moment of the run.
        mean: averages a tensor over the processes that share each batch, so that all find what one process would.

    Returns:
        The new ratios by the name of their term.

    Raises:
        UsageError: if a term or the task loss has no gradient there, or there is no task term.
    """
    pending = unmeasured(distiller, progress)
    if not pending:
        return {}
    if TASK not in distiller.terms:
        raise UsageError(f"expected a term named {TASK!r} to compare shares with, got {list(distiller.terms)}: add it")
    pulls: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in pending}
    # A compiled network shows its layers beside the way to its output: no gradient would come by there.
    with untouched(distiller), torch.compiler.set_stance("force_eager"):
        for image, target, sample in batches:
            lesson = distiller.lesson(image, target, progress=progress, sample=sample)
            for name in pending:
                pulls[name].append(_pulls(lesson, distiller.terms[TASK], distiller.terms[name]))
    found = {name: _ratio(name, _shared(pairs, mean)) for name, pairs in pulls.items()}
    set_ratios(distiller, found)
    return found


def _pulls(lesson: Lesson, task: Term, term: Term) -> tuple[Tensor, Tensor]:
    """Gradient norms of the task loss and of the term, at the tensors of the student that the term reads."""
    shown = {"": lesson.student.output, **lesson.student.features}
    shown = {name: value for name, value in shown.items() if isinstance(value, Tensor) and value.requires_grad}
    # Cut the graph at what the student showed, so that a term reaches only what it reads itself.
    cut = {name: value.detach().requires_grad_() for name, value in shown.items()}
    student = replace(
        lesson.student,
        output=cut.get("", lesson.student.output),
        features={**lesson.student.features, **{name: value for name, value in cut.items() if name}},
    )
    read = _gradients(term.unweighted(replace(lesson, student=student)), cut)
    labels = _gradients(task.unweighted(lesson), {name: shown[name] for name in read})
    return _norm(labels.values()), _norm(read.values())


def _gradients(value: Tensor, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of a value at each of the tensors that it depends on."""
    if not (tensors and value.requires_grad):
        return {}
    # Several terms are measured on one lesson, so the student's graph is kept.
    found = torch.autograd.grad(SCALE * value, list(tensors.values()), retain_graph=True, allow_unused=True)
    return {name: gradient for name, gradient in zip(tensors, found, strict=True) if gradient is not None}


def _norm(gradients: Iterable[Tensor]) -> Tensor:
    norms = [gradient.double().norm() for gradient in gradients]
    return torch.stack(norms).norm() if norms else torch.zeros((), dtype=torch.float64)


def _shared(pairs: list[tuple[Tensor, Tensor]], mean: Callable[[Tensor], Tensor] | None) -> list[tuple[float, float]]:
    """The norms over whole batches, up to a factor that both have in common: the parts' squares add up."""
    norms = torch.stack([torch.stack(pair) for pair in pairs])
    if mean is not None:
        norms = mean(norms.square()).sqrt()
    return [(labels, term) for labels, term in norms.tolist()]


def _ratio(name: str, pairs: list[tuple[float, float]]) -> float:
    labels = sum(norm for norm, _ in pairs) / len(pairs)
    term = sum(norm for _, norm in pairs) / len(pairs)
    if not (math.isfinite(labels) and math.isfinite(term)):
        raise UsageError(
            f"expected finite gradients to measure term {name!r}, got {labels} of the task and {term} of the term: "
            "look for NaN in the images, or fix its weight with --set weight=NUMBER"
        )
    if term <= 1e-12 * labels:
        raise UsageError(
            f"expected term {name!r} to pull at the student, got a gradient of {term:.1e}: "
            "student and teacher agree already, or its inputs are cut off; fix its weight with --set weight=NUMBER"
        )
    if labels == 0.0:
        raise UsageError(
            f"expected the task loss to pull where term {name!r} looks, got no gradient: "
            "look for labels that are all ignored, tap a layer on the way to the output, or fix its weight"
        )
    return labels / term
