"""Trainings of seconds of detectors, in as many processes as there are; `torchrun` starts this file with two."""

from __future__ import annotations

import copy
import gc
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.engine.trainer import Trainer
from pupil.methods import load_method
from pupil.models import load_model
from pupil.run import Run
from pupil.tasks.detection.task import DetectionTask
from tasks.detection.detectors import batch

TASK = DetectionTask(["car", "person", "sign"])
# Images of several sizes, with two boxes, with one, and with none.
DATA = [pair for seed in (0, 1) for pair in zip(*batch(seed), strict=True)]
OPTIONS: dict[str, Any] = {
    "steps": 3,
    "batch_size": 2,
    "evaluations": 1,
    "log_every": 1,
    "device": "cpu",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "schedule": "constant",
    "warmup": 0.0,
    "clip": 0.0,
    "channels_last": False,
}
METHODS = ("fbkd", "aid")


def trainer(
    folder: Path,
    method: str,
    student: nn.Module,
    teacher: nn.Module | None = None,
    *,
    settings: dict[str, Any] | None = None,
    **options: Any,
) -> Trainer:
    """A training whose score is always the same."""
    training = Training(**{**OPTIONS, **options})
    accelerator = make_accelerator(training)
    # As a recipe does: what a method draws comes after the student.
    torch.manual_seed(0)
    plan = load_method(method)(student, teacher, TASK, [DATA[0][0]], **(settings or {}))
    if accelerator.is_main_process:
        Run.create(folder, {})
    accelerator.wait_for_everyone()
    run = Run(folder, writes=accelerator.is_main_process)
    return Trainer(
        plan.distiller, DATA, None, lambda _: {"map": 0.5}, metric="map", options=training, run=run,
        accelerator=accelerator,
    )  # fmt: skip


def tiny(width: int, seed: int) -> nn.Module:
    """Our smallest detector; one of another width is compared through adapters."""
    return load_model(f"pupil:tiny-fcos?width={width}&min_size=64&max_size=96", 3, kind="boxes", seed=seed)


def distilled(folder: Path, method: str) -> dict[str, dict[str, Tensor]]:
    """All that is trained, before and after three steps, and the terms of the last step in this process alone."""
    ours = trainer(folder, method, tiny(32, 0), tiny(64, 1), settings={"weight": 1.0})
    trained = dict(ours.distiller.named_parameters())
    before = copy.deepcopy({name: each.detach() for name, each in trained.items()})
    own: list[dict[str, Tensor]] = []
    ours.distiller.register_forward_hook(lambda module, received, terms: own.append(terms))
    ours.fit()
    ours.accelerator.wait_for_everyone()
    after = {name: each.detach() for name, each in trained.items()}
    return {"before": before, "after": after, "terms": {name: each.detach() for name, each in own[-1].items()}}


def main(folder: Path) -> None:
    found = {method: distilled(folder / method, method) for method in METHODS}
    torch.save(found, folder / f"rank-{torch.distributed.get_rank()}.pt")
    # The group's threads end with the last trainer that refers to it; Python must not end before them.
    gc.collect()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
