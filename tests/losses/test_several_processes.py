"""Losses that relate the images of a batch say the same of it whether one process holds it or two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as processes
from torch import Tensor

from pupil.losses import cckd_loss, dist_loss, pkt_loss, rkd_loss

VALID = torch.arange(6 * 4).reshape(6, 2, 2) % 5 != 0
MAP = (5, 2, 2)


def masked(student: Tensor, teacher: Tensor, rows: slice, gather: bool) -> Tensor:
    # The correlations over the batch alone: a mean over masked positions is one of each process.
    return dist_loss(student, teacher, VALID[rows], inter=0.0, gather=gather)


def plain(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda student, teacher, rows, gather: loss(student, teacher, gather=gather)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "cckd": plain(cckd_loss),
    "rkd": plain(rkd_loss),
    "pkt": plain(pkt_loss),
    "dist": plain(dist_loss),
    "dist, masked": masked,
}


def networks() -> tuple[Tensor, Tensor]:
    student, teacher = torch.randn(2, 6, *MAP, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return student, teacher


def share(rank: int, address: str, results: str) -> None:
    processes.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    rows = slice(3 * rank, 3 * rank + 3)
    found: dict[str, Any] = {}
    for name, loss in LOSSES.items():
        student, teacher = (each[rows].clone() for each in networks())
        student.requires_grad_()
        value = loss(student, teacher, rows, True)
        value.backward()
        found[name] = value.detach(), student.grad
    torch.save(found, f"{results}/{rank}.pt")
    processes.destroy_process_group()


@pytest.mark.slow
def test_two_processes_find_the_value_and_gradient_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(share, (f"file://{tmp_path}/meeting", str(tmp_path)), nprocs=2)
    seen = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, loss in LOSSES.items():
        student, teacher = networks()
        student.requires_grad_()
        whole = loss(student, teacher, slice(None), False)
        whole.backward()
        (one, above), (other, below) = (found[name] for found in seen)
        # Where each process has a share of its own, as of correlations within an image, their mean is the whole's.
        torch.testing.assert_close((one + other) / 2, whole.detach())
        torch.testing.assert_close(torch.cat([above, below]) / 2, student.grad)
