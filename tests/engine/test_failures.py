from __future__ import annotations

import errno

import pytest
import torch
from safetensors import SafetensorError
from torch.utils.data import DataLoader

from pupil.engine.failures import explained
from pupil.errors import UsageError

CPU = torch.device("cpu")


def line(error: BaseException, *, kept: bool = True) -> str:
    with pytest.raises(UsageError) as caught, explained(CPU, lambda: 7, lambda: kept):
        raise error
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error
    return str(caught.value)


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError(), RuntimeError(ALLOCATOR)]
)
def test_out_of_memory_says_what_would_help(error: Exception) -> None:
    said = line(error)
    assert said.startswith("out of memory in step 7: lower --batch-size")
    assert "--accumulate 2" in said


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader worker (pid 7) is killed by signal: Killed. ",
        "DataLoader worker (pid 7) exited unexpectedly with exit code 1. Details are lost due to multiprocessing.",
        "DataLoader worker (pid(s) 7, 8) exited unexpectedly",
    ],
)
def test_a_worker_that_died_is_no_bug_of_ours(said: str) -> None:
    assert line(RuntimeError(said)).startswith("a process that loads data ended after step 7")


def test_a_worker_that_raised_has_not_died() -> None:
    # Images of two sizes cannot be stacked, which is nothing that fewer workers would mend.
    loader = DataLoader([torch.zeros(2), torch.zeros(3)], batch_size=2, num_workers=1)
    with (
        pytest.raises(RuntimeError, match="Caught RuntimeError in DataLoader worker"),
        explained(CPU, lambda: 7, lambda: True),
    ):
        next(iter(loader))


def test_a_full_disk_names_the_file() -> None:
    said = line(OSError(errno.ENOSPC, "No space left on device", "runs/a/state.partial"))
    assert said.startswith("no space left to write runs/a/state.partial at step 7; the last checkpoint is whole")
    assert "go on with --resume" in said
    assert line(OSError(errno.EDQUOT, "Disk quota exceeded")).startswith("no space left to write the run at step 7")


def test_a_full_disk_met_by_the_writer_of_weights() -> None:
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert line(error).startswith("no space left to write the run at step 7")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        OSError(errno.EACCES, "Permission denied"),
        KeyError("miou"),
        UsageError("expected DataLoader worker (pid"),
        KeyboardInterrupt(),
    ],
)
def test_anything_else_passes_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, explained(CPU, lambda: 7, lambda: True):
        raise error
    assert caught.value is error


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_peak_is_told() -> None:
    expected = r"in step 3, which took \d+\.\d GiB of \d+\.\d GiB: lower --batch-size"
    with pytest.raises(UsageError, match=expected), explained(torch.device("cuda"), lambda: 3):
        torch.empty(2**50, device="cuda")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), RuntimeError("DataLoader worker (pid 7) is killed")])
def test_a_run_without_a_kept_step_cannot_go_on(error: Exception) -> None:
    assert "go on with --resume" in line(error)
    said = line(error, kept=False)
    assert "start again" in said
    assert "--resume" not in said
    assert "whole" not in said


def test_less_memory_is_another_run() -> None:
    assert line(MemoryError()).endswith("each begins a new run, with --overwrite")
    assert "--overwrite" not in line(MemoryError(), kept=False)
