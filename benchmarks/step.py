"""The distillation step beside its floor: the student's own step plus the teacher's forward pass, per method.

python benchmarks/step.py [--size 192x256] [--student pupil:small] [--teacher pupil:base]
"""

from __future__ import annotations

import argparse
import statistics

import torch
from side_by_side import machine, side_by_side

from pupil.engine.balance import balance
from pupil.methods import NAMES, load_method
from pupil.models import load_model
from pupil.tasks.segmentation import SegmentationTask

CLASSES, BATCH = 21, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="192x256")
    parser.add_argument("--student", default="pupil:small")
    parser.add_argument("--teacher", default="pupil:base")
    arguments = parser.parse_args()
    height, width = map(int, arguments.size.split("x"))
    torch.manual_seed(0)
    task = SegmentationTask([f"class {each}" for each in range(CLASSES)])
    image = torch.rand(BATCH, 3, height, width)
    target = torch.randint(0, CLASSES, (BATCH, height, width))
    student, teacher = (load_model(spec, CLASSES) for spec in (arguments.student, arguments.teacher))
    print(f"{arguments.teacher} -> {arguments.student}, {BATCH} images of {arguments.size}, {machine()}")
    loss, inputs = task.objective()
    alone = load_method("none")(student, None, task, image).distiller

    def floor() -> None:
        student.zero_grad()
        loss(*inputs(alone.lesson(image, target))).backward()
        with torch.no_grad():
            task.call(teacher.eval(), image)

    for name in NAMES:
        if name in ("none", "label-smoothing"):
            continue
        distiller = load_method(name)(student, teacher, task, image).distiller
        balance(distiller, [(image, target, None)], progress=0.5)

        def step(distiller: torch.nn.Module = distiller) -> None:
            distiller.zero_grad()
            torch.stack(list(distiller(image, target, progress=0.5).values())).sum().backward()

        rounds = side_by_side(step, floor)
        distiller.student.release()
        ratios = sorted(first / second for first, second in rounds)
        step_ms, floor_ms = (1e3 * statistics.median(each) for each in zip(*rounds, strict=True))
        print(
            f"{name:<12} {step_ms:8.1f} ms   floor {floor_ms:8.1f} ms   {statistics.median(ratios):.3f} x "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f}, {len(rounds)} rounds)",
            flush=True,
        )


if __name__ == "__main__":
    main()
