"""A training of seconds for the tests of the engine: seven random images, a teacher, shares, an adapter, dropout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pupil import schedules
from pupil.data.transforms import training_transform
from pupil.distiller import Distiller, Term
from pupil.engine.evaluation import evaluate
from pupil.engine.options import Training
from pupil.engine.trainer import Trainer
from pupil.lesson import features, outputs
from pupil.run import Run
from pupil.schedules import Share
from pupil.taps import Tapped
from pupil.tasks.segmentation import SegmentationTask
from pupil.teachers import FrozenTeacher

TASK = SegmentationTask(["road", "car", "sky"])
GENERATOR = torch.Generator().manual_seed(0)
DATA = [
    (torch.rand(3, 12, 12, generator=GENERATOR), torch.randint(0, 3, (12, 12), generator=GENERATOR)) for _ in range(7)
]
OPTIONS: dict[str, Any] = {"steps": 4, "batch_size": 3, "evaluations": 2, "log_every": 1, "device": "cpu"}


class SquaredError(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student.float() - teacher.detach().float()).square().mean()


class Adapted(SquaredError):
    """A loss with an adapter that trains beside the student."""

    def __init__(self) -> None:
        super().__init__()
        self.adapter = nn.Conv2d(4, 4, 1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return super().forward(self.adapter(student), teacher)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout2d(0.3), nn.Conv2d(4, 3, 1))


def alone(student: nn.Module) -> Distiller:
    return Distiller(Tapped(student, call=TASK.call), None, {"task": Term(*TASK.objective())})


def taught(student: nn.Module, weight: Any = None) -> Distiller:
    """A share that acts from the start, an adapter, and a share that begins in the middle."""
    late = Share(0.2, schedules.after(0.5, 1.0))
    return Distiller(
        Tapped(student, ["1"], TASK.call),
        FrozenTeacher(network(9), ["1"], TASK.call),
        {
            "task": Term(*TASK.objective()),
            "match": Term(SquaredError(), outputs, Share(0.5) if weight is None else weight),
            "hint": Term(Adapted(), features("1"), late),
        },
    )


def scores(student: nn.Module) -> Mapping[str, float]:
    return evaluate(student, TASK, DATA, batch_size=4)


def trainer(
    folder: Path,
    make: Callable[[nn.Module], Distiller] = taught,
    student: nn.Module | None = None,
    *,
    data: Any = DATA,
    optimizers: Any = None,
    **options: Any,
) -> Trainer:
    settings = Training(**{**OPTIONS, **options})
    student = student or network()
    # As a recipe does: what a method draws comes after the student.
    torch.manual_seed(settings.seed)
    return Trainer(
        make(student),
        data,
        training_transform(8),
        scores,
        metric="miou",
        options=settings,
        run=Run(folder) if settings.resume else Run.create(folder, {}),
        optimizers=optimizers,
    )


def weights(folder: Path, name: str = "student") -> dict[str, Tensor]:
    return Run(folder).load_weights(name)


def equal(ours: Any, theirs: Any) -> bool:
    """Bit-equality of nested states."""
    if isinstance(ours, Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, Mapping):
        return ours.keys() == theirs.keys() and all(equal(each, theirs[name]) for name, each in ours.items())
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(equal(*pair) for pair in zip(ours, theirs, strict=True))
    return bool(ours == theirs)
