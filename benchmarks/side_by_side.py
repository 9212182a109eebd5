"""Times alternatives in turns within one process, so that a busy machine slows all of them alike.

What counts is the ratio within a round; its median over the rounds is printed with its spread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

LONGEST = 120.0


def side_by_side(
    first: Callable[[], object], second: Callable[[], object], rounds: int = 9
) -> list[tuple[float, float]]:
    """Seconds of both alternatives, round by round, after one unmeasured run of each.

    Args:
        first: the slower one, by expectation.
        second: the faster one.
        rounds: how often both are timed; fewer, but at least three, where that would take over two minutes.
    """
    whole_round = _seconds(first) + _seconds(second)
    affordable = max(3, int(LONGEST / whole_round))
    return [(_seconds(first), _seconds(second)) for _ in range(min(rounds, affordable))]


def forward_and_backward(loss: Callable[[Tensor, Tensor], Tensor], student: Tensor, teacher: Tensor) -> Tensor:
    """The loss, once its gradient at the student has been computed."""
    student.grad = None
    value = loss(student, teacher)
    value.backward()
    return value.detach()


def report(title: str, rounds: list[tuple[float, float]], at_least: float) -> bool:
    """Print both medians, the median ratio and its spread; tell whether it reaches what is promised."""
    slow, fast = (1000 * statistics.median(times) for times in zip(*rounds, strict=True))
    ratios = sorted(first / second for first, second in rounds)
    ratio, reached = statistics.median(ratios), statistics.median(ratios) >= at_least
    print(
        f"{title:<44} {slow:10.1f} ms {fast:9.1f} ms   {ratio:6.1f}x  ({ratios[0]:.1f} to {ratios[-1]:.1f}, "
        f"{len(rounds)} rounds, expected >= {at_least:g}x{'' if reached else ', MISSED'})",
        flush=True,
    )
    return reached


def machine() -> str:
    """What the numbers were measured on."""
    return f"torch {torch.__version__}, CPU, threads: {torch.get_num_threads()}"


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
