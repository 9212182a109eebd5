"""Ctrl-C and a scheduler's SIGTERM: the first finishes the step and saves, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A training that somebody asked to stop, once it had saved what it needs to go on."""


class Interrupts:
    """Within the block a first signal only sets `asked`; a second one does what it would have done outside.

    Args:
        say: receives one line when the first signal comes.

    Example:
        >>> with Interrupts(print) as interrupts:
        ...     signal.raise_signal(signal.SIGINT)
        ...     print(interrupts.asked)
        finishing this step, then saving; once more to stop at once
        True
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python allows handlers in the main thread alone; elsewhere signals keep their meaning.
        if threading.current_thread() is threading.main_thread():
            # What is ignored stays ignored: so a shell keeps Ctrl-C from what it runs in the background.
            heard = [each for each in SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
            self._before = {each: signal.signal(each, self._first) for each in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _first(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()
        # A handler may run in the middle of a write, and that writer refuses a second one: the line is then left out.
        with suppress(RuntimeError):
            self.say("finishing this step, then saving; once more to stop at once")

    def _restore(self) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before = {}


def leave_interrupts_to_the_trainer(worker: int) -> None:
    """Make a process that loads data ignore the signals, as its `worker_init_fn`.

    Ctrl-C reaches every process of a terminal, and a scheduler's SIGTERM every process of a job; the trainer finishes
    its step first and needs its loader for that, which ends with it.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
