"""The memory that a computation takes beyond its inputs, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def peak_memory(prepare: Callable[[], Callable[[], object]]) -> int:
    """By how many bytes one run raises the peak of its process.

    To be called before the calling process itself grows: on Linux a new process starts from its parent's peak.

    Args:
        prepare: a function of a module, or a partial of one, that makes the inputs and returns what is to be run.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_growth, prepare).result()


def _growth(prepare: Callable[[], Callable[[], object]]) -> int:
    run = prepare()
    before = _peak()
    run()
    return _peak() - before


def _peak() -> int:
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
