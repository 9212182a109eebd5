"""The memory that a computation takes beyond its inputs, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

LINUX = sys.platform.startswith("linux")


def peak_memory(prepare: Callable[[], Callable[[], object]]) -> int:
    """By how many bytes one run raises the peak of its process.

    Args:
        prepare: a function of a module, or a partial of one, that makes the inputs and returns what is to be run.
    """
    # The C library of Linux then gives every larger block back when it is freed, and none waits to be used again.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**16)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_growth, prepare).result()


def _growth(prepare: Callable[[], Callable[[], object]]) -> int:
    run = prepare()
    if LINUX:
        # From here on the peak is that of what follows.
        Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    run()
    return _peak() - before


def _peak() -> int:
    if LINUX:
        status = Path("/proc/self/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    # macOS counts in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
