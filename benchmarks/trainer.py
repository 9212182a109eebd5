"""The trainer beside a loop written by hand for the same work, in turns within one training.

python benchmarks/trainer.py [--size 64x96] [--batch 8] [--student pupil:tiny] [--teacher pupil:base]

The same networks, images, losses, optimizer, clipping and schedule, and a log line every 20 steps. The loop
takes its turn where the trainer validates; checkpoints are timed apart. `--processor` counts processor time instead,
which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from side_by_side import judged, machine, milliseconds
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pupil.data.batches import Batches
from pupil.data.street import StreetScenes
from pupil.data.transforms import training_transform
from pupil.data.views import Views
from pupil.engine.options import Training
from pupil.engine.trainer import Trainer
from pupil.losses import KDLoss
from pupil.methods import load_method
from pupil.models import load_model
from pupil.recipes.options import parse_size
from pupil.run import Run
from pupil.tasks.segmentation import SegmentationTask

BLOCK, LOG_EVERY, AT_MOST = 20, 20, 1.03
clock = time.perf_counter
METHODS: dict[str, dict[str, Any]] = {"none": {}, "kd": {"weight": 1.0}}


def by_hand(
    student: nn.Module, teacher: nn.Module | None, views: Views, options: Training
) -> Iterator[tuple[float, float]]:
    """Seconds and the last logged loss of block after block."""
    student.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(student.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    batches = Batches(len(views), options.batch_size, steps=options.steps, seed=options.seed)
    between, total, start = KDLoss(), torch.zeros(()), clock()
    for step, (image, target, _) in enumerate(DataLoader(views, batch_sampler=batches, generator=torch.Generator())):
        optimizer.param_groups[0]["lr"] = options.learning_rate * (1 + math.cos(math.pi * step / options.steps)) / 2
        logits = student(prepared(student, image))
        loss = F.cross_entropy(resized(logits, target), target, ignore_index=255)
        if teacher is not None:
            with torch.no_grad():
                theirs = teacher(prepared(teacher, image))
            loss = loss + between(logits, theirs)
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), options.clip)
        optimizer.step()
        optimizer.zero_grad()
        total += loss.detach()
        if (step + 1) % LOG_EVERY == 0:
            logged = (total / LOG_EVERY).item()
            total.zero_()
        if (step + 1) % BLOCK == 0:
            yield clock() - start, logged
            start = clock()


def prepared(model: nn.Module, image: Tensor) -> Tensor:
    return model.preprocessing(image) if hasattr(model, "preprocessing") else image


def resized(logits: Tensor, target: Tensor) -> Tensor:
    if logits.shape[2:] == target.shape[1:]:
        return logits
    return F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)


class TimedTrainer(Trainer):
    """The trainer, which tells how long its checkpoints take."""

    saving = 0.0
    checkpoints = 0

    def _save(self) -> None:
        start = clock()
        super()._save()
        self.saving += clock() - start
        self.checkpoints += 1


def compare(method: str, arguments: argparse.Namespace, folder: Path) -> None:
    height, width = parse_size(arguments.size)
    scenes = StreetScenes(64, size=(height, width))
    options = Training(
        student=arguments.student, method=method, batch_size=arguments.batch, steps=BLOCK * (arguments.rounds + 1),
        evaluations=arguments.rounds + 1, log_every=LOG_EVERY, warmup=0.0, save_every=10**9, device="cpu",
    )  # fmt: skip
    transform = training_transform((height, width), ignore_index=255)
    classes = len(scenes.classes)
    student = load_model(arguments.student, classes)
    twin = copy.deepcopy(student)
    teacher = None if method == "none" else load_model(arguments.teacher, classes).eval().requires_grad_(False)
    if teacher is not None:
        teacher.to(memory_format=torch.channels_last)
    task = SegmentationTask(scenes.classes)
    plan = load_method(method)(student, teacher, task, scenes[0][0][None] / 255, **METHODS[method])
    loop = by_hand(twin, teacher, Views(scenes, transform), options)
    rounds: list[tuple[float, float]] = []
    began = saved = 0.0

    def take_turns(network: nn.Module) -> Mapping[str, float]:
        nonlocal began, saved
        ours = clock() - began - (trainer.saving - saved)
        theirs, logged = next(loop)
        rounds.append((ours, theirs))
        if len(rounds) == 1:
            # The same work: after some steps the two differ by rounding alone.
            mean = sum(trainer.run.metrics[0]["terms"].values())
            torch.testing.assert_close(logged, mean, rtol=1e-2, atol=0)
        began, saved = clock(), trainer.saving
        return {"none": 0.0}

    run = Run.create(folder, {"options": options.record()})
    trainer = TimedTrainer(plan.distiller, scenes, transform, take_turns, metric="none", options=options, run=run)
    for index in range(len(scenes)):
        scenes[index]  # drawn once, before either is timed
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.fit()
    # The first blocks hold what is done once.
    ours, theirs = milliseconds(rounds[1:])
    print(
        f"{method:<8} trainer {ours / BLOCK:7.2f} ms a step   by hand {theirs / BLOCK:7.2f} ms   "
        f"{judged(rounds[1:], at_most=AT_MOST)}; a checkpoint {1e3 * trainer.saving / trainer.checkpoints:.1f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="64x96")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--student", default="pupil:tiny")
    parser.add_argument("--teacher", default="pupil:base")
    parser.add_argument("--rounds", type=int, default=45, help="turns of 20 steps")
    parser.add_argument("--processor", action="store_true", help="count processor time")
    arguments = parser.parse_args()
    if arguments.processor:
        global clock
        clock = time.process_time
    torch.set_num_threads(1)
    print(f"{arguments.student}, {arguments.batch} images of {arguments.size}, {machine()}")
    for method in METHODS:
        with tempfile.TemporaryDirectory() as place:
            compare(method, arguments, Path(place) / method)


if __name__ == "__main__":
    main()
