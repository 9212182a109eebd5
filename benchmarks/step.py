"""The distillation step beside its floor: the student's own step plus the teacher's forward pass, per method.

python benchmarks/step.py [--size 192x256] [--batch 2] [--student SPEC] [--teacher SPEC] [--device cuda] [METHOD ...]

Beside the ratio stands what the method's own terms take, forward and backward on what the networks have shown, and the
same over cross-entropy on the tensor that the first of them reads.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from side_by_side import judged, machine, milliseconds, side_by_side
from torch import Tensor, nn

from pupil.distiller import Distiller
from pupil.engine.balance import balance
from pupil.methods import NAMES, load_method
from pupil.models import load_model
from pupil.recipes.options import parse_size
from pupil.tasks.segmentation import SegmentationTask

CLASSES = 21
STUDENT, TEACHER = (f"smp:DeepLabV3Plus/resnet{layers}" for layers in (18, 101))
METHODS = tuple(name for name in NAMES if name not in ("none", "label-smoothing"))
AT_MOST = dict.fromkeys(METHODS, 1.10) | {"aicsd": 1.25}


@dataclass(frozen=True)
class Bench:
    """Networks, images and labels to time a method on."""

    task: SegmentationTask
    student: nn.Module
    teacher: nn.Module
    image: Tensor
    target: Tensor

    def distiller(self, method: str) -> Distiller:
        """The method's distiller, its shares measured, halfway through a run: where all of its terms act."""
        plan = load_method(method)(self.student, self.teacher, self.task, self.image)
        distiller = plan.distiller.to(self.image.device).train()
        balance(distiller, [(self.image, self.target, None)], progress=0.5)
        return distiller

    def step(self, distiller: Distiller) -> Callable[[], None]:
        """Forward and backward of one step of the distiller, up to the optimizer."""

        def run() -> None:
            distiller.zero_grad()
            torch.stack(list(distiller(self.image, self.target, progress=0.5).values())).sum().backward()
            self.wait()

        return run

    def floor(self, *, inside: bool = False) -> Callable[[], None]:
        """What no method can do without; the teacher is asked when the student is done, or `inside` its step."""
        loss, inputs = self.task.objective()
        alone = load_method("none")(self.student, None, self.task, self.image).distiller

        def run() -> None:
            self.student.train().zero_grad()
            value = loss(*inputs(alone.lesson(self.image, self.target)))
            if not inside:
                value.backward()
            with torch.no_grad():
                self.task.call(self.teacher.eval(), self.image)
            if inside:
                value.backward()
            self.wait()

        return run

    def wait(self) -> None:
        if self.image.device.type == "cuda":
            torch.cuda.synchronize()


def prepare(student: str, teacher: str, size: tuple[int, int], batch: int, device: str = "cpu") -> Bench:
    """Networks with random weights, and random images and labels."""
    torch.manual_seed(0)
    task = SegmentationTask([f"class {each}" for each in range(CLASSES)])
    models = (load_model(spec, CLASSES).to(device, memory_format=torch.channels_last) for spec in (student, teacher))
    image = torch.rand(batch, 3, *size, device=device)
    target = torch.randint(0, CLASSES, (batch, *size), device=device)
    return Bench(task, *models, image, target)


def terms_alone(bench: Bench, distiller: Distiller) -> tuple[Callable[[], None], Callable[[], None]]:
    """The method's terms on what the networks have shown, and cross-entropy on the student's part of it."""
    with torch.no_grad():
        lesson = distiller.lesson(bench.image, bench.target, progress=0.5)
    shown = {name: feature.requires_grad_() for name, feature in lesson.student.features.items()}
    output = lesson.student.output.requires_grad_()
    terms = [term for name, term in distiller.terms.items() if name != "task"]
    read = next(each for each in (*shown.values(), output) if _reads(terms[0](lesson), each))
    labels = torch.randint(0, read.shape[1], (len(read), *read.shape[2:]), device=read.device)

    def run() -> None:
        distiller.zero_grad()
        for each in (*shown.values(), output):
            each.grad = None
        torch.stack([term(lesson) for term in terms]).sum().backward()
        bench.wait()

    def cross_entropy() -> None:
        read.grad = None
        F.cross_entropy(read, labels).backward()
        bench.wait()

    return run, cross_entropy


def _reads(value: Tensor, tensor: Tensor) -> bool:
    return torch.autograd.grad(value, tensor, retain_graph=True, allow_unused=True)[0] is not None


def main() -> None:
    arguments = parsed(__doc__)
    torch.set_num_threads(1)
    bench = prepare(arguments.student, arguments.teacher, arguments.size, arguments.batch, arguments.device)
    print(described(arguments))
    for name in arguments.methods or METHODS:
        distiller = bench.distiller(name)
        rounds = side_by_side(bench.step(distiller), bench.floor(), arguments.rounds)
        alone = side_by_side(*terms_alone(bench, distiller), 3 * arguments.rounds)
        distiller.student.release()
        (step, floor), (terms, cross_entropy) = milliseconds(rounds), milliseconds(alone)
        print(
            f"{name:<12} {step:8.1f} ms   floor {floor:8.1f} ms   {judged(rounds, at_most=AT_MOST[name])}   "
            f"its terms {terms:6.1f} ms, {terms / floor:.3f} of the floor, {terms / cross_entropy:.1f}x cross-entropy",
            flush=True,
        )


def parsed(description: str) -> argparse.Namespace:
    """The arguments that this benchmark and that of memory share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="all, by default")
    parser.add_argument("--size", type=parse_size, default=(192, 256))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--student", default=STUDENT)
    parser.add_argument("--teacher", default=TEACHER)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="how often both are timed")
    return parser.parse_args()


def described(arguments: argparse.Namespace) -> str:
    """What is measured, and on what."""
    size, on = "x".join(map(str, arguments.size)), machine(arguments.device)
    return f"{arguments.teacher} -> {arguments.student}, {CLASSES} classes, {arguments.batch} images of {size}, {on}"


if __name__ == "__main__":
    main()
