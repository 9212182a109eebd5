"""Self-distillation from the student's last classifier to early ones on its shallow layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from pupil.distiller import Term
from pupil.errors import UsageError
from pupil.lesson import Lesson
from pupil.losses.byot import BYOTLoss, Shown
from pupil.methods.layers import last_feature
from pupil.methods.maps import LayerMaps, named
from pupil.methods.plan import Plan, planned, require
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
    require(task, "byot", "dense", "whole")
    shown = LayerMaps(student, image, task.call)
    last = last_feature(student, shown.found, len(task.classes))
    names = named(layers) or _shallow(shown, last)
    to_maps, maps = zip(*(shown.at(name) for name in names), strict=True)
    shape = shown.found.shape(last)
    height = shape[2] if len(shape) == 4 else min(each[2] for each in shown.shapes().values())
    loss = BYOTLoss(
        [each[1] for each in maps],
        shape[1],
        len(task.classes),
        strides=[max(1, round(each[2] / height)) for each in maps],
        temperature=temperature,
        soft_weight=soft_weight,
        hint_weight=hint_weight,
        ignore_index=getattr(task, "ignore_index", -100),
    )
    term = Term(loss, partial(_inputs, layers=names, last=last, to_maps=to_maps), weight)
    return planned(student, task, {"byot": term}, layers=[*names, last])


def _inputs(
    lesson: Lesson, *, layers: Sequence[str], last: str, to_maps: Sequence[nn.Module]
) -> tuple[list[Tensor], Shown, Tensor]:
    shown = lesson.student
    maps = [to_map(shown.features[name]) for name, to_map in zip(layers, to_maps, strict=True)]
    return maps, (shown.features[last], shown.output), lesson.target


def _shallow(shown: LayerMaps, last: str) -> list[str]:
    """The deepest layer of each resolution above the coarsest."""
    shapes = list(shown.shapes(before=last))
    # A network of one resolution has no stages; its shallow layer is half way up.
    names = shown.stages(before=last)[:-1][-MOST:] or shapes[(len(shapes) - 1) // 2 :][:1]
    if not names:
        raise UsageError(
            "expected layers with maps (N, C, H, W) before the classifier, got none: "
            "name them with --set layers=NAME,NAME (see `pupil layers`)"
        )
    return names
