"""What a run says of itself: the record that rebuilds it, and its row of a results table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupil import __version__
from pupil.engine.options import Training
from pupil.run import Run

if TYPE_CHECKING:
    from torch import nn

    from pupil.engine.trainer import Outcome
    from pupil.recipes.material import Material


def run_record(material: Material, options: Training, student: nn.Module) -> dict[str, Any]:
    """What run.json holds from the start: enough to rebuild the network, and how it is trained."""
    from pupil.models import Preprocessing

    preprocessing = getattr(student, "preprocessing", None)
    spec = material.student or options.student
    if Path(spec).is_dir():
        # A student that starts from a run is rebuilt from what that run was built from.
        spec = Run(spec).record["model"]["spec"]
    return {
        "version": __version__,
        "recipe": material.recipe,
        "task": material.task.name,
        **material.record,
        "model": {
            "spec": spec,
            # A preprocessing of the reader's own comes back with the reader's own model.
            "preprocessing": preprocessing.to_json() if isinstance(preprocessing, Preprocessing) else None,
        },
        "options": options.record(),
        "teacher": None,
        "weights": {},
    }


def teacher_record(options: Training, teacher: nn.Module) -> dict[str, Any]:
    """Which teacher it was: its name, its size, and where it was a run, the hash of its weights."""
    from pupil.models import count_parameters

    name = str(options.teacher)
    digest = Run(name).weights_hash() if Path(name).is_dir() else None
    return {"name": name, "parameters": count_parameters(teacher), "sha256": digest}


def summary_record(
    material: Material, options: Training, run: Run, student: nn.Module, outcome: Outcome, *, extra: int
) -> dict[str, Any]:
    """What summary.json holds at the end; `extra` parameters were trained beside the student's."""
    from pupil.engine.speed import milliseconds_per_image
    from pupil.models import count_parameters
    from pupil.recipes.pictures import some_images

    metrics = dict(outcome.metrics)
    speed = milliseconds_per_image({"": outcome.network}, material.task, some_images(material.val))[""]
    teacher = run.record["teacher"]
    return {
        "role": "student",
        "recipe": material.recipe,
        "method": options.method,
        "task": material.task.name,
        "metric": material.task.metric,
        "value": metrics[material.task.metric],
        "metrics": metrics,
        "student": {"name": options.student, "parameters": count_parameters(student)},
        "teacher": {key: teacher[key] for key in ("name", "parameters", "value")} if teacher else None,
        "seed": options.seed,
        "epochs": outcome.images / len(material.train),
        "steps": options.steps,
        "extra_parameters": extra,
        "seconds": outcome.seconds,
        "images_per_second": outcome.images / outcome.seconds,
        "milliseconds_per_image": speed,
        "data": material.record["data"],
        "version": __version__,
    }
