"""How much of a step the trainer waits for its images: the steps of a training beside the same steps from memory.

python benchmarks/loading.py [--size 360x480] [--crop 180x240] [--batch 8] [--student pupil:small]

The images are drawn scenes of CamVid's size, read from JPEG and PNG files as a training on a folder reads them, and
scaled, cropped, mirrored and coloured. Workers also slow the steps down where they share the cores: the ratio to steps
on images from memory holds both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
from PIL import Image
from side_by_side import machine

from pupil.data.folder import SegmentationFolder
from pupil.data.street import StreetScenes
from pupil.data.transforms import training_transform
from pupil.engine.options import Training
from pupil.engine.stepper import Batch
from pupil.engine.trainer import Trainer
from pupil.methods import load_method
from pupil.models import load_model
from pupil.recipes.options import parse_size
from pupil.run import Run
from pupil.tasks.segmentation import SegmentationTask

IMAGES, BLOCK = 32, 8


def write_images(folder: Path, size: tuple[int, int]) -> SegmentationFolder:
    """A folder as a training reads it; decoded images are not kept, since a large data set does not fit."""
    scenes = StreetScenes(IMAGES, size)
    for kind in ("images", "masks"):
        (folder / "train" / kind).mkdir(parents=True)
    for index in range(IMAGES):
        image, mask = scenes[index]
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / "train" / "images" / f"{index}.jpg", quality=95)
        Image.fromarray(mask.to(torch.uint8).numpy()).save(folder / "train" / "masks" / f"{index}.png")
    return SegmentationFolder(folder, "train", classes=scenes.classes, ignore_index=scenes.ignore_index)


def timed(trainer: Trainer, parts: Iterator[list[Batch]]) -> tuple[float, float]:
    """Seconds of some steps, and how many of them the trainer stood waiting for their images."""
    waited, start = 0.0, time.perf_counter()
    for _ in range(BLOCK):
        asked = time.perf_counter()
        each = next(parts)
        waited += time.perf_counter() - asked
        trainer._learn(each)
    if trainer.accelerator.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, waited


def measure(trainer: Trainer, workers: int, rounds: int) -> None:
    trainer.loading.options = replace(trainer.options, workers=workers)
    loaded = trainer.loading.steps(first=0)
    kept = list(islice(loaded, BLOCK))
    found = []
    for _ in range(rounds):
        from_memory, _ = timed(trainer, iter(kept))
        # Workers have loaded ahead during the other turn, two batches each: these steps would not have to wait.
        for each in islice(loaded, 2 * workers):
            trainer._learn(each)
        whole, waited = timed(trainer, loaded)
        found.append((waited / whole, whole / from_memory, whole, from_memory))
    loaded.close()
    shares, ratios, *seconds = (sorted(each) for each in zip(*found, strict=True))
    whole, from_memory = (1e3 * statistics.median(each) / BLOCK for each in seconds)
    print(
        f"{workers} workers   waits {statistics.median(shares):5.1%} of a step ({shares[0]:.1%} to {shares[-1]:.1%})   "
        f"{whole:7.1f} ms a step   from memory {from_memory:7.1f} ms   {statistics.median(ratios):.2f}x "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}, {rounds} rounds of {BLOCK} steps)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="360x480")
    parser.add_argument("--crop", default="180x240")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--student", default="pupil:small")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size, crop = parse_size(arguments.size), parse_size(arguments.crop)
    options = Training(
        student=arguments.student, batch_size=arguments.batch, steps=10**6, log_every=10**6, device="cpu"
    )
    with tempfile.TemporaryDirectory() as place:
        data = write_images(Path(place) / "data", size)
        task = SegmentationTask(data.classes)
        model = load_model(arguments.student, len(data.classes))
        plan = load_method("none")(model, None, task, torch.rand(1, 3, *crop))
        run = Run.create(Path(place) / "run", {"options": options.record()})
        transform = training_transform(crop, scale=(0.75, 1.5), colour=0.2, ignore_index=data.ignore_index)
        trainer = Trainer(plan.distiller, data, transform, lambda network: {}, metric="none", options=options, run=run)
        print(
            f"{arguments.student}, {arguments.batch} crops of {arguments.crop} from images of {arguments.size}, "
            f"{machine()}, {os.cpu_count()} cores"
        )
        for workers in arguments.workers:
            measure(trainer, workers, arguments.rounds)


if __name__ == "__main__":
    main()
