"""Distillation of how the images of the batch correlate, from batches that bring some of each class."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pupil.data.batches import Batches, MakeBatches, in_order
from pupil.data.class_batches import ClassBatches, classes_of, clusters
from pupil.data.image_transforms import centre_transform
from pupil.data.views import Source, Views
from pupil.distiller import Term
from pupil.errors import unknown
from pupil.lesson import Activations, Lesson, dense_outputs
from pupil.losses.cckd import CCKDLoss, Instances, Kernel
from pupil.losses.kd import KDLoss
from pupil.methods.layers import Layer, between_layers
from pupil.methods.plan import Plan, usual_temperature, weighing
from pupil.tasks.task import Task

PAPER = CCKDLoss.paper
Sampler = Literal["uniform", "class", "superclass"]


def cckd(
    student: nn.Module,
    teacher: nn.Module | None,
    task: Task,
    image: Tensor,
    *,
    kernel: Kernel = "taylor",
    gamma: float = 0.4,
    order: int = 2,
    instances: Instances = "image",
    embedding: int | None = None,
    layer: str | None = None,
    teacher_layer: str | None = None,
    sampler: Sampler = "class",
    per_class: int = 4,
    superclasses: int | None = None,
    temperature: float | None = None,
    share: float = 1.0,
    weight: float | None = None,
    kd_share: float = 1.0,
    kd_weight: float | None = None,
    task_weight: float = 1.0,
) -> Plan:
    """The student's images correlate as the teacher's do, beside ordinary distillation (CCKD).

    L = task_weight * L_task + weight * mean over pairs of (k(s_i, s_j) - k(t_i, t_j))²
        + kd_weight * KL(teacher || student)

    Args:
        kernel: "taylor", "rbf", "bilinear", "cosine" or "mmd", see :func:`pupil.losses.cckd.correlation`.
        gamma: inverse width of the two radial kernels.
        order: highest power of the Taylor kernel.
        instances: "image" relates the images of the batch, "grid" the cells of each image, in layers that show maps.
        embedding: width of a linear layer on the student's side that is trained with it, 128 in the paper; None
            compares the layers as they are.
        layer: the student's layer; None takes the last feature before its classifier, for "grid" the last map.
        teacher_layer: the teacher's layer, where its name differs.
        sampler: "class" shows several images of each class of a batch; it needs training data that tell the class of
            each image, and leaves tasks alone whose images have none. "superclass" takes clusters of the teacher's
            features for classes, which it finds before the first step; "uniform" takes the images as they fall,
            and so does a batch that holds more than `per_class` of every class.
        per_class: images of a class; 2 or 4 in the paper, where 8 and more do harm.
        superclasses: how many clusters; None takes as many as there are classes.
        temperature: softens both distributions of the ordinary distillation; None takes the field's usual 4 for whole
            images and 1 at every position.
        share: pull of the correlations relative to the labels.
        weight: fixes their weight instead; 100 is usual for unit embeddings.
        kd_share: pull of the ordinary distillation; 0 leaves it out.
        kd_weight: fixes its weight instead.
        task_weight: weight of the labels; the paper's main runs leave them out, at 0.
    """
    if sampler not in get_args(Sampler):
        raise unknown("sampler", sampler, get_args(Sampler))

    def loss(ours: Layer, theirs: Layer) -> CCKDLoss:
        shape = ours[1]
        width = None if embedding is None else shape[-1] if len(shape) == 3 else shape[1]
        settings: dict[str, Any] = {"kernel": kernel, "gamma": gamma, "order": order, "instances": instances}
        return CCKDLoss(width, embedding or 128, dims=len(shape), **settings)

    softened = Term(
        KDLoss(temperature=usual_temperature(task, temperature)), dense_outputs(), weighing(kd_share, kd_weight)
    )
    plan = between_layers(
        "cckd",
        loss,
        student,
        teacher,
        task,
        image,
        layer=layer,
        teacher_layer=teacher_layer,
        weight=weighing(share, weight),
        only_maps=instances == "grid",
        further={"kd": softened} if kd_share or kd_weight else None,
        task_weight=task_weight,
    )
    if sampler == "uniform" or (sampler == "class" and task.kind == "dense"):
        return plan
    labels: Callable[[Source], Any] = classes_of
    if sampler == "superclass":
        height, width = image.shape[-2:]
        count = superclasses or len(task.classes)
        labels = partial(_superclasses, teacher=plan.distiller.teacher, size=(height, width), count=count)
    return replace(plan, batches=partial(_by_class, labels=labels, per_class=per_class))


def _by_class(source: Source, *, labels: Callable[[Source], Any], per_class: int) -> MakeBatches:
    found = np.asarray(labels(source))
    # A cluster has no name.
    names = getattr(source, "classes", None) if labels is classes_of else None
    return partial(_batches, labels=found, per_class=per_class, names=names, classes=len(np.unique(found)))


def _batches(
    count: int, batch_size: int, *, labels: Any, per_class: int, names: Any, classes: int, **where: int
) -> Batches:
    if batch_size > per_class * classes:
        warnings.warn(
            f"expected batches of at most {per_class * classes} images, {per_class} of each of {classes} classes or "
            f"clusters, got {batch_size}: images come as they fall, which shows more of each; pass a smaller "
            "--batch-size, or --set sampler=uniform to choose that",
            UserWarning,
            stacklevel=2,
        )
        return Batches(count, batch_size, **where)
    return ClassBatches(count, batch_size, labels=labels, per_class=per_class, names=names, **where)


def _superclasses(source: Source, *, teacher: Any, size: tuple[int, int], count: int) -> Any:
    """The cluster of each training image among the teacher's features of their centres."""
    device = next((each.device for each in teacher.model.parameters()), torch.device("cpu"))
    views = Views(source, partial(_centre, size=size))
    found: list[Tensor] = []
    for image, _, _ in DataLoader(views, batch_sampler=in_order(len(source), 64), generator=torch.Generator()):
        shown: Activations = teacher(Lesson(image.to(device), None, Activations(None)))
        [feature] = (shown.features[layer].float() for layer in teacher.layers)
        positions = {2: (), 3: (1,), 4: (2, 3)}[feature.dim()]
        found.append(feature.mean(positions) if positions else feature)
    return clusters(torch.cat(found).cpu().numpy(), count, seed=0)


def _centre(image: Any, target: Any, *, size: tuple[int, int]) -> tuple[Any, int]:
    # The label is not asked for: a map of them would be as large as its image was.
    return centre_transform(size)(image, 0)
