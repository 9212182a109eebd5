"""What a recipe prepares for a training: the task, its data, and how training images are varied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pupil.engine.options import Training

if TYPE_CHECKING:
    from pupil.data.batches import MakeBatches
    from pupil.data.mixing import Mix
    from pupil.data.own_code import NamedClasses
    from pupil.data.transforms import Transform
    from pupil.data.views import Source
    from pupil.tasks.task import Task

SMOKE_IMAGES = 8


@dataclass(frozen=True)
class Material:
    """What a recipe prepares: the task, its data, and how training images are varied.

    Args:
        recipe: the recipe's name.
        task: how networks are called, scored and drawn.
        train: training data.
        val: validation data.
        transform: joint transform of training images and targets.
        record: what run.json keeps so that the task can be rebuilt.
        batches: makes the batch sampler of the training data, with the arguments of `Batches`; None for `Batches`.
        mix: mixes the images and targets of a batch.
        student: the network's text where the data complete it; None for that of the options.
    """

    recipe: str
    task: Task
    train: Source
    val: Source
    transform: Transform | None
    record: Mapping[str, Any]
    batches: MakeBatches | None = None
    mix: Mix | None = None
    student: str | None = None


def smaller(options: Training) -> dict[str, Any]:
    """The options of a smoke run: a few steps of a few images."""
    return {
        "steps": min(options.steps, 4),
        "batch_size": min(options.batch_size, 4),
        "accumulate": min(options.accumulate, 2),
        "evaluations": 1,
        "workers": 0,
    }


def few_of(val: Source, options: Training) -> Source:
    """The validation data, of which a smoke run scores a few: of drawn scenes, the others are then never drawn."""
    from torch.utils.data import Subset

    few: Source = Subset(val, range(min(len(val), SMOKE_IMAGES)))  # type: ignore[arg-type]
    return few if options.smoke else val


def check_data(data: NamedClasses, val: NamedClasses, *, skip: bool = False) -> None:
    """That files can be read, as far as is known, and that the validation data have the classes of the training data.

    A mistake in a training label shows when that is drawn; one in these would show at the first validation, so that all
    of them are read here.

    Args:
        data: training data; `broken` says what is wrong with files of it.
        val: validation data; `check_labels` reads their labels.
        skip: whether what is broken in the training data is to be replaced. A score is of all validation images.

    Raises:
        UsageError: for a broken file, other classes, and labels that are none.
    """
    from pupil.data.own_code import check_classes

    check_classes(val, data.classes, "the validation data too")
    broken = getattr(data, "broken", [])
    if broken and (not skip or len(broken) == len(data)):
        raise broken[0].advised(skip=skip)
    check_labels = getattr(val, "check_labels", None)
    if check_labels is not None:
        check_labels()
