from __future__ import annotations

import pytest
import torch
import torch.distributed as processes
from torch import Tensor

from pupil.functional.gathering import gathered
from pupil.losses.similarity import similarity_loss


def share(rank: int, address: str, results: str) -> None:
    processes.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    own = batch()[2 * rank : 2 * rank + 2].requires_grad_()
    whole = gathered(own)
    loss = similarity_loss(own, batch(1)[2 * rank : 2 * rank + 2], gather=True)
    loss.backward()
    torch.save((whole.detach(), loss.detach(), own.grad), f"{results}/{rank}.pt")
    processes.destroy_process_group()


def batch(seed: int = 0) -> Tensor:
    return torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.slow
def test_two_processes_see_the_whole_batch_and_its_gradient(tmp_path: object) -> None:
    torch.multiprocessing.spawn(share, (f"file://{tmp_path}/meeting", str(tmp_path)), nprocs=2)
    whole = batch().requires_grad_()
    loss = similarity_loss(whole, batch(1))
    loss.backward()
    assert whole.grad is not None
    for rank in (0, 1):
        seen, value, gradient = torch.load(f"{tmp_path}/{rank}.pt", weights_only=True)
        torch.testing.assert_close(seen, whole.detach())
        torch.testing.assert_close(value, loss.detach())
        # Data parallel training averages over the processes, so each one's share counts twice.
        torch.testing.assert_close(gradient / 2, whole.grad[2 * rank : 2 * rank + 2])


def test_one_process_keeps_its_own() -> None:
    feature = batch()
    assert gathered(feature) is feature
