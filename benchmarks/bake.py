"""BAKE's targets and loss beside the plain training step whose images they refine, forward and backward.

python benchmarks/bake.py [--batch 256] [--classes 1000] [--student SPEC] [--size 32x32] [--device cuda]

The term is timed on what the student has shown; timed as part of whole steps it would drown in their spread.
"""

from __future__ import annotations

import argparse

import torch
from side_by_side import judged, machine, milliseconds, side_by_side

from pupil.lesson import Lesson
from pupil.methods.bake import bake
from pupil.models import load_model
from pupil.recipes.options import parse_size
from pupil.tasks.classification import ClassificationTask

AT_MOST = 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--student", default="pupil:resnet18")
    parser.add_argument("--size", type=parse_size, default=(32, 32))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="how often both are timed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    student = load_model(arguments.student, arguments.classes, seed=0, kind="whole").to(arguments.device)
    image = torch.rand(arguments.batch, 3, *arguments.size, device=arguments.device)
    target = torch.randint(0, arguments.classes, (arguments.batch,), device=arguments.device)
    task = ClassificationTask([str(each) for each in range(arguments.classes)])
    distiller = bake(student, None, task, image[:1]).distiller.train()
    labels, term = distiller.terms.values()
    teacher = distiller.teacher
    with torch.no_grad():
        lesson = distiller.lesson(image, target)
    lesson.student.output.requires_grad_()

    def wait() -> None:
        if arguments.device != "cpu":
            torch.cuda.synchronize()

    def ensembled() -> None:
        lesson.student.output.grad = None
        term(Lesson(image, target, lesson.student, teacher(lesson))).backward()
        wait()

    def step() -> None:
        student.zero_grad()
        labels(Lesson(image, target, distiller.student(image, target))).backward()
        wait()

    rounds = side_by_side(ensembled, step, arguments.rounds)
    (own, plain), judgement = milliseconds(rounds), judged(rounds, at_most=AT_MOST, digits=4)
    print(machine(arguments.device))
    print(
        f"bake, {arguments.batch} images of {arguments.size[0]} x {arguments.size[1]}, {arguments.classes} classes, "
        f"{arguments.student}: {own:.1f} ms beside a step of {plain:.1f} ms   {judgement}"
    )


if __name__ == "__main__":
    main()
