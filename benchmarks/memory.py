"""The memory that one distillation step takes beyond the networks and its images, beside its floor, per method.

python benchmarks/memory.py [--size 192x256] [--batch 2] [--student SPEC] [--teacher SPEC] [--device cuda] [METHOD ...]

The floor is the student's own step plus the teacher's forward pass, one after the other. A distiller asks the teacher
while it holds what the student's backward pass needs, since a teacher may look at what the student has shown: that is
the second line, and what a method adds stands against it. On a CPU each is measured in a process of
its own; on a device the allocator counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from peak_memory import peak_memory
from step import METHODS, described, parsed, prepare

SMALL = (64, 64)
MIB = 2**20
FLOORS = FLOOR, INSIDE = "floor", "teacher inside"


def step_of(method: str, arguments: argparse.Namespace) -> Callable[[], None]:
    """One step of a method or a floor; one on small images has loaded the libraries."""
    torch.set_num_threads(1)
    small = prepare(arguments.student, arguments.teacher, SMALL, arguments.batch, arguments.device)
    size = (arguments.batch, *arguments.size)
    large = replace(
        small,
        image=torch.rand(size[0], 3, *size[1:], device=arguments.device),
        target=torch.zeros(size, dtype=torch.long, device=arguments.device),
    )
    if method in FLOORS:
        small.floor()()
        return large.floor(inside=method == INSIDE)
    distiller = small.distiller(method)
    small.step(distiller)()
    return large.step(distiller)


def allocated(run: Callable[[], None]) -> int:
    """By how many bytes one run raises the peak of the device."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    return torch.cuda.max_memory_allocated() - before


def main() -> None:
    arguments = parsed(__doc__)
    print(described(arguments))
    found: dict[str, int] = {}
    for name in (*FLOORS, *(arguments.methods or METHODS)):
        prepared = partial(step_of, name, arguments)
        found[name] = peak_memory(prepared) if arguments.device == "cpu" else allocated(prepared())
        ratios = "   ".join(f"{found[name] / found[floor]:.2f}x {floor}" for floor in FLOORS if floor in found)
        print(f"{name:<15} {found[name] / MIB:8.0f} MiB   {ratios}", flush=True)


if __name__ == "__main__":
    main()
