"""Watches the terms of the objective without stopping the step: sums and the first bad step stay on the device."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pupil.errors import UsageError


class Monitor:
    """Means of the terms between two readings, and the step at which a term first stopped being finite.

    Nothing is read back before :meth:`read`, so that the device never waits for the log.

    Example:
        >>> monitor = Monitor()
        >>> monitor.update({"task": torch.tensor(1.0)}, step=0)
        >>> monitor.update({"task": torch.tensor(2.0)}, step=1)
        >>> monitor.read()
        {'task': 1.5}
    """

    NEVER = 2**62

    def __init__(self) -> None:
        self._names: list[str] = []
        self._count = 0

    def update(self, terms: Mapping[str, Tensor], step: int) -> None:
        """Take in one step's terms."""
        values = torch.stack([value.detach().float() for value in terms.values()])
        if not self._names:
            self._names = list(terms)
            self._sum = torch.zeros_like(values)
            self._first_bad = torch.full(values.shape, self.NEVER, device=values.device)
        self._sum += values
        self._count += 1
        self._first_bad = torch.where(values.isfinite(), self._first_bad, self._first_bad.clamp(max=step))

    def read(self) -> dict[str, float]:
        """Mean of each term since the last reading; empty where there was no step.

        Raises:
            UsageError: if a term became NaN or infinite, naming the term and the step.
        """
        if not self._count:
            return {}
        bad = self._first_bad.tolist()
        if min(bad) < self.NEVER:
            name, step = self._names[bad.index(min(bad))], min(bad)
            raise UsageError(
                f"expected finite losses, got NaN or infinity in term {name!r} at step {step}: "
                "lower --learning-rate, set --clip, or lower the term's weight"
            )
        means = dict(zip(self._names, (self._sum / self._count).tolist(), strict=True))
        self._sum.zero_()
        self._count = 0
        return means
