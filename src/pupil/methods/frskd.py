"""Self-distillation from a small pyramid that refines the student's own features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from pupil.distiller import Term
from pupil.errors import UsageError
from pupil.lesson import Lesson, Weight, dense_outputs, teacher_of
from pupil.losses.attention import AttentionLoss
from pupil.losses.kd import KDLoss
from pupil.methods.layers import stages_before_classifier
from pupil.methods.maps import LayerMaps, named, own_layers
from pupil.methods.plan import Plan, planned, require, usual_temperature, weighing
from pupil.networks import PyramidSelfTeacher, SelfTeacher
from pupil.networks.self_teacher import Variant, check_halving
from pupil.paper import Paper
from pupil.schedules import after
from pupil.tasks.task import Task
from pupil.teachers import AuxiliaryTeacher
from pupil.teachers.auxiliary import read, taught

PAPER = Paper(
    "Refine Myself by Teaching Myself: Feature Refinement via Self-Knowledge Distillation",
    "M. Ji, S. Shin, S. Hwang, G. Park, I.-C. Moon",
    "CVPR",
    2021,
    "https://arxiv.org/abs/2103.08273",
    "MingiJi/FRSKD",
)
MOST_LEVELS = 4
PYRAMID_WEIGHT = 50.0
Maps = Sequence[Callable[[Tensor], Tensor]]


def frskd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    layers: str | None = None,
    variant: Variant = "bifpnc",
    width: int | None = None,
    depth: int = 2,
    temperature: float | None = None,
    start: float | None = None,
    share: float = 0.1,
    weight: float | None = None,
    feature_share: float = 0.05,
    feature_weight: float | None = None,
) -> Plan:
    """The student follows a self-teacher, which refines its features and learns from the labels with it (FRSKD).

    L = L_task(student) + L_task(self-teacher) + weight * KL(self-teacher || student)
        + feature_weight * sum over levels of L_attention(feature, refined feature)

    The self-teacher learns from the labels alone, and trains the student's features with them. Features pass a ReLU on
    their way to it and to L_attention, which leaves those of a layer that ends in one as they are. L_attention is the
    mean square over images and positions, so that weights of about 100 are usual. No teacher is asked.

    In the authors' segmentation code a weight of 0 turns the features off too, logits are enlarged before they are
    compared, distillation starts where the learning rate falls, padding is labelled as background, and gradients of an
    unfinished accumulation leak into the next epoch: none of it is so here.

    Args:
        layers: of the student, separated by commas. None takes those that the network names in its attribute `levels`,
            else the deepest block of each of the four coarsest resolutions on the way down.
        variant: of the self-teacher for classification, see :class:`pupil.networks.SelfTeacher`.
        width: of the self-teacher: for classification times the student's channels (2), in "bifpn" the channels (256);
            for segmentation the channels (the student's where all levels have as many, else 64).
        depth: of the self-teacher: convolutions in a node, for segmentation its layers.
        temperature: softens both distributions; None is 4 for classification and 1 for segmentation.
        start: share of the run after which distillation begins; from there on its weights rise as exp(-5 (1 - t)²).
            None is 0 for classification, without a rise, and 2/3 for segmentation, as published.
        share: pull of the self-teacher's logits relative to the labels. The defaults of both shares are what the
            published weights come to in the first step of a ResNet-18 on 32 x 32 pixels.
        weight: fixes the weight of the logits instead; the authors use 2 (segmentation: 1).
        feature_share: pull of the refined features relative to the labels.
        feature_weight: fixes the weight of the features instead; the authors use 100 (segmentation: 50). None is 50
            where the network names its levels: labels pull at the finest alone, and a share of that says nothing of
            the others.
    """
    require(task, "frskd", "dense", "whole")
    if start is None:
        start = 2 / 3 if task.kind == "dense" else 0.0
    if feature_weight is None and layers is None and own_layers(student, "levels"):
        feature_weight = PYRAMID_WEIGHT
    names, maps, channels = _levels(student, task, image[:1], layers)
    network: nn.Module = (
        PyramidSelfTeacher(channels, len(task.classes), width=width, depth=depth)
        if task.kind == "dense"
        else SelfTeacher(channels, len(task.classes), width=width, depth=depth, variant=variant)
    )
    schedule: Weight = after(start, partial(_rising, start=start)) if start else 1.0
    loss, inputs = task.objective()
    terms = {
        "teacher": Term(loss, taught(inputs)),
        "kd": Term(
            KDLoss(temperature=usual_temperature(task, temperature)), dense_outputs(), weighing(share, weight, schedule)
        ),
        "attention": Term(
            _Levels(AttentionLoss(variant="code")),
            partial(_features, layers=names, maps=maps),
            weighing(feature_share, feature_weight, schedule),
        ),
    }
    return planned(student, task, terms, teacher=AuxiliaryTeacher(network, names, maps=maps), layers=names)


class _Levels(nn.Module):
    """The sum of a loss over levels."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        return torch.stack([self.loss(*pair) for pair in zip(student, teacher, strict=True)]).sum()


def _features(lesson: Lesson, *, layers: Sequence[str], maps: Maps) -> tuple[list[Tensor], list[Tensor]]:
    return read(lesson.student, layers, maps), read(teacher_of(lesson), layers)


def _rising(lesson: Lesson, *, start: float) -> float:
    return math.exp(-5.0 * (1.0 - (lesson.progress - start) / (1.0 - start)) ** 2)


def _levels(
    student: nn.Module, task: Task, image: Tensor, layers: str | None
) -> tuple[list[str], list[nn.Sequential], list[int]]:
    """The layers, the finest first; what each passes to be a map after ReLU; and the channels of these maps."""
    shown = LayerMaps(student, image, task.call)
    names = named(layers) or own_layers(student, "levels") or _deepest(student, task, shown)
    levels = {name: shown.at(name) for name in names}
    names.sort(key=lambda name: -math.prod(levels[name][1][2:]))
    if task.kind != "dense":
        check_halving([levels[name][1] for name in names])
    maps = [nn.Sequential(levels[name][0], nn.ReLU()) for name in names]
    return names, maps, [levels[name][1][1] for name in names]


def _deepest(student: nn.Module, task: Task, shown: LayerMaps) -> list[str]:
    """The deepest block of each resolution, of a row of resolutions of which each is half the one before.

    For whole images it ends at the coarsest, from which they are classified; maps have the longest row.
    """
    shapes = shown.shapes()
    by_size = {
        shapes[name][2:]: name
        for name in stages_before_classifier(student, shown, task)
        # A map of a single channel is a mask.
        if shapes[name][1] > 1
    }
    dense = task.kind == "dense"
    ends = sorted(by_size) if dense else sorted(by_size)[:1]
    row = max((_row(end, by_size, rounded=dense) for end in ends), key=len, default=[])[:MOST_LEVELS]
    if not row or (len(row) < 2 and not dense):
        sizes = ", ".join(f"{width}x{height}" for height, width in sorted(by_size, reverse=True)) or "no maps"
        raise UsageError(
            f"expected two resolutions or more down to the coarsest, each half the one before, got {sizes}: use images "
            "of other sides, multiples of 32 for most networks, or name layers with --set layers=NAME,NAME (see "
            "`pupil layers`)"
        )
    return [by_size[size] for size in reversed(row)]


def _row(size: tuple[int, ...], known: Iterable[tuple[int, ...]], *, rounded: bool) -> list[tuple[int, ...]]:
    """From this size on, the sizes of which each is twice the one before, or, rounded, may be one less a side."""
    row = [size]
    while finer := [
        each
        for each in known
        if all(
            large == 2 * small or (rounded and large == 2 * small - 1)
            for small, large in zip(row[-1], each, strict=True)
        )
    ]:
        row.append(max(finer))
    return row
