"""Pair-wise distillation against the N x N matrices of its definition: time and memory, forward and backward."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from peak_memory import peak_memory
from side_by_side import forward_and_backward, machine, report, side_by_side
from torch import Tensor

from pupil.losses import pairwise_loss

CHANNELS = 128, 512
SMALL, LARGE = (65, 65), (128, 256)
LEAST_RATIOS = {"float32": 15.0, "precise": 7.0}
LEAST_MEMORY_RATIO, MOST_BYTES = 10.0, 1e9


def by_definition(student: Tensor, teacher: Tensor) -> Tensor:
    """Two matrices of all pairs of positions, subtracted and squared."""
    ours, theirs = (F.normalize(feature.flatten(2), dim=1) for feature in (student, teacher))
    return (ours.mT @ ours - theirs.mT @ theirs).square().mean()


LOSSES = {
    "N x N": by_definition,
    "float32": partial(pairwise_loss, patch=1),
    "precise": partial(pairwise_loss, patch=1, precise=True),
}


def prepare(loss: str, size: tuple[int, int]) -> Callable[[], Tensor]:
    """One step on a map of this size, with the libraries already loaded by a step on a small one."""
    torch.set_num_threads(1)
    _step_on(loss, (20, 20))()
    return _step_on(loss, size)


def _step_on(loss: str, size: tuple[int, int]) -> Callable[[], Tensor]:
    torch.manual_seed(0)
    student, teacher = (torch.randn(1, channels, *size) for channels in CHANNELS)
    return partial(forward_and_backward, LOSSES[loss], student.requires_grad_(), teacher)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often both are timed")
    rounds = parser.parse_args().rounds
    # With more threads than free cores, each parallel region waits for its last thread, and the ratio shows the queue.
    torch.set_num_threads(1)
    print(machine())
    memory()
    time(rounds)


def time(rounds: int) -> None:
    definition = prepare("N x N", SMALL)
    for loss, least in LEAST_RATIOS.items():
        ours = prepare(loss, SMALL)
        torch.testing.assert_close(ours(), definition(), rtol=1e-4, atol=0)
        report(describe(loss, SMALL), side_by_side(definition, ours, rounds), least)


def memory() -> None:
    whole = peak_memory(partial(prepare, "N x N", SMALL))
    for loss in LEAST_RATIOS:
        small, large = (peak_memory(partial(prepare, loss, size)) for size in (SMALL, LARGE))
        missed = "" if whole >= LEAST_MEMORY_RATIO * small else ", MISSED"
        print(
            f"{describe(loss, SMALL):<44} {whole / 2**20:9.0f} MiB {small / 2**20:8.0f} MiB  {whole / small:6.1f}x  "
            f"(expected >= {LEAST_MEMORY_RATIO:g}x{missed})"
        )
        missed = "" if large < MOST_BYTES else ", MISSED"
        print(
            f"{describe(loss, LARGE):<44} {'':13} {large / 2**20:8.0f} MiB  {'':7} "
            f"(expected < {MOST_BYTES / 2**20:.0f} MiB{missed})"
        )


def describe(loss: str, size: tuple[int, int]) -> str:
    return f"pairwise {loss}, {size[0] * size[1]} x {CHANNELS[0]}/{CHANNELS[1]}"


if __name__ == "__main__":
    main()
