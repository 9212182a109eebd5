"""A classification of seconds by any method, as a recipe trains it, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pupil.data.batches import Batches
from pupil.data.image_transforms import crop_transform
from pupil.data.mixing import Mix
from pupil.engine.evaluation import evaluate
from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.engine.trainer import Trainer
from pupil.methods import ALONE, load_method
from pupil.methods.plan import Plan
from pupil.run import Run
from pupil.tasks.classification import ClassificationTask

TASK = ClassificationTask(["cat", "dog", "bird"])
OPTIONS: dict[str, Any] = {
    "steps": 4,
    "batch_size": 8,
    "evaluations": 1,
    "log_every": 1,
    "device": "cpu",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "warmup": 0.0,
}


class Pictures(list[tuple[Tensor, int]]):
    """Twelve random images of three classes."""

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        super().__init__((torch.rand(3, 16, 16, generator=random), index % 3) for index in range(12))
        self.labels = [label for _, label in self]


DATA = Pictures()


def network(width: int = 4, seed: int = 0, *, batch_norm: bool = False) -> nn.Sequential:
    """Two resolutions and a linear classifier; with batch statistics it has dropout too."""
    torch.manual_seed(seed)

    def block(received: int, shown: int) -> nn.Sequential:
        norm = nn.BatchNorm2d(shown) if batch_norm else nn.GroupNorm(2, shown)
        return nn.Sequential(nn.Conv2d(received, shown, 3, stride=2, padding=1), norm, nn.ReLU())

    dropout = nn.Dropout(0.3) if batch_norm else nn.Identity()
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), dropout)
    return nn.Sequential(block(3, width), block(width, 2 * width), pool, nn.Linear(2 * width, len(TASK.classes)))


def plan_of(method: str, student: nn.Module, **settings: Any) -> Plan:
    teacher = None if method in ALONE else network(8, 1).eval()
    # As a recipe does: what a method draws comes after the student.
    torch.manual_seed(0)
    return load_method(method)(student, teacher, TASK, DATA[0][0][None], **settings)


def trainer(
    folder: Path,
    method: str,
    *,
    student: nn.Module | None = None,
    settings: Mapping[str, Any] | None = None,
    mix: Mix | None = None,
    varied: bool = False,
    **options: Any,
) -> Trainer:
    """A training in as many processes as there are; `varied` draws a crop of every image."""
    training = Training(**{**OPTIONS, **options})
    accelerator = make_accelerator(training)
    plan = plan_of(method, network() if student is None else student, **(settings or {}))

    def scores(model: nn.Module) -> Mapping[str, float]:
        return evaluate(
            model, TASK, DATA, batch_size=4, rank=accelerator.process_index, world=accelerator.num_processes
        )

    if accelerator.is_main_process and not training.resume:
        Run.create(folder, {})
    accelerator.wait_for_everyone()
    return Trainer(
        plan.distiller,
        DATA,
        crop_transform((16, 16), crop="pad") if varied else None,
        scores,
        metric=TASK.metric,
        options=training,
        run=Run(folder, writes=accelerator.is_main_process),
        batches=plan.batches(DATA) if plan.batches else Batches,
        mix=mix or plan.mix,
        optimizers=plan.optimizers,
        accelerator=accelerator,
    )
