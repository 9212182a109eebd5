"""The distillation step of detectors beside its floor, per method, and a teacher's own losses beside its pyramid.

python benchmarks/detection.py [--size 320x320] [--batch 4] [--rounds 2] [--threads 1] [--device cuda] [FAMILY ...]

The floor is the student's own step plus the teacher's pyramid; for aid, which asks the teacher for its own losses by
image and level, with the teacher's heads. Everything is timed in turns, and what counts is the ratio within a round.
On a CPU one thread is measured: torchvision's RoIAlign uses no more, so that with several the ratios of Faster R-CNN
say how well convolutions share them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from side_by_side import judged, machine, milliseconds
from torch import Tensor, nn

from pupil.distiller import Distiller
from pupil.lesson import Lesson
from pupil.methods import load_method
from pupil.models import load_model
from pupil.recipes.options import parse_size
from pupil.tasks.detection import detector_call
from pupil.tasks.detection.task import DetectionTask
from pupil.teachers import FrozenTeacher

TASK = DetectionTask(["car", "person", "sign"])
FAMILIES = ("fcos", "fasterrcnn")
STEPS = {"mimic": 1.10, "pkd": 1.10, "fgd": 1.25, "fbkd": 1.25, "aid": 1.25}
# What is timed beside the methods' steps.
STUDENT, PYRAMID, HEADS, LOSSES, HEADED = "student", "pyramid", "heads", "losses", "fbkd, heads too"
FLOOR, HEADED_FLOOR = (STUDENT, PYRAMID), (STUDENT, HEADS)
RATIOS = [(name, HEADED_FLOOR if name == "aid" else FLOOR, limit) for name, limit in STEPS.items()]
RATIOS += [("aid", (HEADED,), 1.15)]
PASSES = [(LOSSES, (PYRAMID,), 2.2)]


@dataclass(frozen=True)
class Bench:
    """Detectors with random weights, random images and a few boxes on each."""

    student: nn.Module
    teacher: nn.Module
    image: list[Tensor]
    target: list[dict[str, Tensor]]

    def runs(self) -> dict[str, Callable[[], object]]:
        """All that is timed, by name."""
        distillers = {name: self.distiller(name) for name in STEPS}
        headed = self.distiller("fbkd")
        headed.teacher = FrozenTeacher(self.teacher, call=detector_call(self.teacher))
        with torch.no_grad():
            seen = TASK.call(self.student.train(), self.image, self.target)
        lesson = Lesson(*seen.batch, seen)
        pyramid = self.teacher.get_submodule("backbone")
        return {
            STUDENT: self.step(self.distiller("none")),
            PYRAMID: torch.no_grad()(lambda: pyramid(lesson.image.tensors)),
            HEADS: lambda: headed.teacher(lesson),
            LOSSES: lambda: distillers["aid"].teacher(lesson),
            **{name: self.step(distiller) for name, distiller in distillers.items()},
            HEADED: self.step(headed),
        }

    def distiller(self, method: str) -> Distiller:
        """The method's distiller, ready to train."""
        teacher, options = (None, {}) if method == "none" else (self.teacher, {"weight": 1.0})
        plan = load_method(method)(self.student, teacher, TASK, self.image, **options)
        return plan.distiller.to(self.image[0].device).train()

    def step(self, distiller: Distiller) -> Callable[[], object]:
        """Forward and backward of one step of the distiller, up to the optimizer."""

        def run() -> None:
            distiller.zero_grad()
            torch.stack(list(distiller(self.image, self.target).values())).sum().backward()

        return run


def prepare(family: str, size: tuple[int, int], batch: int, device: str) -> Bench:
    """A student on ResNet-18 and a teacher on ResNet-50, for images of this size."""
    torch.manual_seed(0)
    sizes = f"min_size={min(size)}&max_size={max(size)}"
    specs = f"timm:resnet18?detector={family}&{sizes}", f"torchvision:{family}_resnet50_fpn?{sizes}"
    student, teacher = (load_model(spec, len(TASK.classes), kind="boxes").to(device) for spec in specs)
    height, width = size
    corners = torch.tensor([[0.1, 0.1, 0.3, 0.5], [0.3, 0.15, 0.95, 0.9], [0.05, 0.6, 0.2, 0.75]])
    boxes = corners * torch.tensor([width, height, width, height])
    image = [torch.rand(3, height, width, device=device) for _ in range(batch)]
    target = [{"boxes": boxes.to(device), "labels": torch.tensor([1, 2, 3], device=device)} for _ in range(batch)]
    return Bench(student, teacher, image, target)


def in_turns(runs: Mapping[str, Callable[[], object]], rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of each, round by round, after one unmeasured run of all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if device != "cpu":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: measured[1:] for name, measured in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", default=FAMILIES, help=f"of {', '.join(FAMILIES)}")
    parser.add_argument("--size", type=parse_size, default=(320, 320))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=2, help="how often all are timed")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for family in arguments.families:
        size = "x".join(map(str, arguments.size))
        print(f"{family}, ResNet-50 -> ResNet-18, {arguments.batch} images of {size}, {machine(arguments.device)}")
        bench = prepare(family, arguments.size, arguments.batch, arguments.device)
        runs = bench.runs()
        losses = runs.pop(LOSSES)
        compare(in_turns(runs, arguments.rounds, arguments.device), RATIOS)
        # The passes of a teacher are short: in turns with whole steps, they would be seconds apart from one another.
        passes = {PYRAMID: runs[PYRAMID], LOSSES: losses}
        compare(in_turns(passes, 4 * arguments.rounds, arguments.device), PASSES)


def compare(seconds: Mapping[str, list[float]], ratios: Iterable[tuple[str, tuple[str, ...], float]]) -> None:
    """Print what stands beside what, and whether it keeps to its limit."""
    for name, beside, limit in ratios:
        floors = [sum(parts) for parts in zip(*(seconds[each] for each in beside), strict=True)]
        rounds = list(zip(seconds[name], floors, strict=True))
        (ours, theirs), said = milliseconds(rounds), judged(rounds, at_most=limit)
        print(f"  {name:<8}{ours:8.1f} ms   {' + '.join(beside):<18}{theirs:8.1f} ms   {said}", flush=True)


if __name__ == "__main__":
    main()
