"""The seconds that a training takes, without those of its validations."""

from __future__ import annotations

import time


class Stopwatch:
    """Adds up the time between `start` and `count`; what a run took before it was continued is set as `seconds`.

    Example:
        >>> clock = Stopwatch()
        >>> clock.start()
        >>> clock.count() > 0.0
        True
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = 0.0

    def start(self) -> None:
        """Count from now on; what has passed since the last count is left out."""
        self._since = time.perf_counter()

    def count(self) -> float:
        """Add what has passed since the last start or count, and return all seconds."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        return self.seconds
