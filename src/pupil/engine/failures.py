"""What goes wrong in a long training, said in one line with a way out."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from pupil.data.views import WORKER_DIED
from pupil.errors import UsageError

GIB = 2**30
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explained(device: torch.device, step: Callable[[], int], kept: Callable[[], bool]) -> Iterator[None]:
    """Turn failures of the machine within the block into one line for the person who started the training.

    Args:
        device: where the training runs.
        step: finished steps at the time of the failure.
        kept: whether there are steps to go on from by then.

    Raises:
        UsageError: out of memory, a loading process that died, or a full disk.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        line = _line(error, device, step(), kept())
        if line is None:
            raise
        raise UsageError(line) from error


def _line(error: Exception, device: torch.device, step: int, kept: bool) -> str | None:
    said, again = str(error), "go on with --resume" if kept else "start again"
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in said:
        return (
            f"out of memory in step {step}{_peak(device)}: lower --batch-size, or work through the same batch in "
            "parts with --accumulate 2; --precision bf16 and a smaller --size help too"
            + ("; each begins a new run, with --overwrite" if kept else "")
        )
    # What a worker raises is told with its name too; one that died has a number.
    if said.startswith(WORKER_DIED):
        return (
            f"a process that loads data ended after step {step}, killed perhaps for want of memory: {again}, "
            "with fewer --workers"
        )
    for each in _chain(error):
        # The writer of weights has errors of its own, which give the system's number in words.
        if getattr(each, "errno", None) in FULL or any(f"os error {number})" in str(each) for number in FULL):
            return (
                f"no space left to write {getattr(each, 'filename', None) or 'the run'} at step {step}"
                f"{'; the last checkpoint is whole' if kept else ''}: make room and {again}"
            )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those before it: torch's writer of archives fails once more while a full disk is reported."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _peak(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    total = torch.cuda.get_device_properties(device).total_memory
    return f", which took {torch.cuda.max_memory_allocated(device) / GIB:.1f} GiB of {total / GIB:.1f} GiB"
