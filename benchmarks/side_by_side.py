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


def report(title: str, rounds: list[tuple[float, float]], at_least: float) -> None:
    """Print both medians and what becomes of the promised ratio."""
    slow, fast = milliseconds(rounds)
    print(f"{title:<44} {slow:10.1f} ms {fast:9.1f} ms   {judged(rounds, at_least=at_least, digits=1)}", flush=True)


def milliseconds(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of each alternative."""
    first, second = (1e3 * statistics.median(times) for times in zip(*rounds, strict=True))
    return first, second


def judged(
    rounds: list[tuple[float, float]], *, at_least: float = 0.0, at_most: float = float("inf"), digits: int = 3
) -> str:
    """The median ratio of the first to the second with its spread, and whether it keeps what is promised."""
    ratios = sorted(first / second for first, second in rounds)
    ratio = statistics.median(ratios)
    promised = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    return (
        f"{ratio:.{digits}f}x ({ratios[0]:.{digits}f} to {ratios[-1]:.{digits}f}, {len(rounds)} rounds, expected "
        f"{promised}x{'' if at_least <= ratio <= at_most else ', MISSED'})"
    )


def machine(device: str = "cpu") -> str:
    """What the numbers were measured on."""
    where = torch.cuda.get_device_name() if device != "cpu" else f"CPU, threads: {torch.get_num_threads()}"
    return f"torch {torch.__version__}, {where}"


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
