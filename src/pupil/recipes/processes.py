"""Where the trainings of a comparison run: one after the other here, or several at once in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any


def executor(processes: int) -> Executor:
    """An executor of trainings.

    Args:
        processes: how many trainings run at once; 1 stays in this process, with all its threads.
    """
    if processes == 1:
        return Here()
    # A forked process would inherit torch's threads in whatever state they are.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_child)


class Here(Executor):
    """Runs each call at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call and return the finished future; an error is raised here and now."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _child() -> None:
    # The lines of several trainings would run through each other: the parent says what has ended.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """A parent that was killed cannot call its children off; they would train on for nobody."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
