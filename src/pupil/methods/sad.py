"""Self-distillation of where a layer looks, from the next deeper layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.errors import UsageError, listed
from pupil.lesson import Lesson
from pupil.losses.sad import SADLoss
from pupil.methods.layers import stages_before_classifier
from pupil.methods.maps import LayerMaps, named, own_layers
from pupil.methods.plan import Plan, planned, require, weighing
from pupil.schedules import after
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
    temperature: float | None = None,
    start: float = 0.67,
    ramp: float = 0.0,
    share: float = 1.0,
    weight: float | None = None,
) -> Plan:
    """Each block of a trained network matches the spatial attention of its next deeper block (SAD).

    L = L_task + weight * sum over neighbouring blocks of L_sad(block, next block)

    No teacher is asked. Attention that is not yet worth looking at teaches nothing, so the terms begin late in the run.

    Args:
        layers: the blocks, separated by commas, shallow to deep. None takes the last three of those that the network
            names in its attribute `blocks`, so of four the pairs 2-3 and 3-4 as the authors do; and of a network that
            names none the last three of the deepest layers of each resolution.
        temperature: softens the attention; 1 in the paper. None takes each map's own spread, since sums of squares over
            many channels leave a softmax at 1 no gradient.
        start: share of the run after which the terms begin; the paper trains 40,000 of 60,000 steps without.
        ramp: share of the run over which their weight grows to its full value.
        share: pull of each term relative to the labels, where its shallower block is. Late in a run labels pull little:
            on small lane networks a share of 10 gained more, and a small classifier lost what it had learned.
        weight: fixes the weight of each term instead; 0.1 in the paper.
    """
    require(task, "sad", "dense", "whole")
    if ramp < 0 or start + ramp > 1:
        raise UsageError(f"expected a ramp from 0 to {1 - start:.2f}, the rest of the run, got {ramp}: shorten it")
    shown = LayerMaps(student, image, task.call)
    names = named(layers) or _blocks(student, shown, task)[-MOST:]
    if len(names) < 2:
        raise UsageError(
            f"expected two blocks or more to distill attention between, got {listed(names) or 'none'} in "
            f"{type(student).__name__}: name them with --set layers=NAME,NAME, shallow to deep (see `pupil layers`)"
        )
    to_maps = {name: shown.at(name, positions=2)[0] for name in names}
    schedule = after(start, partial(_risen, start=start, ramp=ramp) if ramp else 1.0)
    terms = {}
    for pair in pairwise(names):
        inputs = partial(_inputs, to_maps={name: to_maps[name] for name in pair})
        # Each term has a share, and so a weight, of its own.
        own = weighing(share, weight, schedule)
        terms[f"sad_{pair[0].replace('.', '_')}"] = Term(SADLoss(temperature=temperature), inputs, own)
    return planned(student, task, terms, layers=names)


def _inputs(lesson: Lesson, *, to_maps: Mapping[str, nn.Module]) -> tuple[Tensor, ...]:
    """The features of a block and of the next one, as maps."""
    return tuple(to_map(lesson.student.features[name]) for name, to_map in to_maps.items())


def _risen(lesson: Lesson, *, start: float, ramp: float) -> float:
    return min(1.0, (lesson.progress - start) / ramp)


def _blocks(student: nn.Module, shown: LayerMaps, task: Task) -> list[str]:
    """The blocks that a network names, or the deepest layer of each resolution on its way down to the coarsest."""
    return own_layers(student, "blocks") or stages_before_classifier(student, shown, task)
