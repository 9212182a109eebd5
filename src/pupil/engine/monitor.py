"""Watches the terms of the objective without stopping the step: sums and the first bad step stay on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from pupil.errors import UsageError


class NonFiniteError(UsageError):
    """A term of the objective, or a weight, became NaN or infinite.

    Args:
        where: which term, or the weights.
        step: finished steps when it showed.
        found: what a closer look brought to light.
    """

    def __init__(self, where: str, step: int, found: str = "") -> None:
        super().__init__(
            f"expected finite losses, got NaN or infinity in {where} at step {step}{found}: "
            "lower --learning-rate, set --clip, or lower the term's weight"
        )
        self.where, self.step, self.found = where, step, found

    def __reduce__(self) -> tuple[type[NonFiniteError], tuple[str, int, str]]:
        # Exceptions are unpickled from their message alone, and a comparison's trainings are other processes.
        return type(self), (self.where, self.step, self.found)


class Monitor:
    """Means of the terms between two readings, and the step at which a term first stopped being finite.

    Nothing is read back before :meth:`read`, so that the device never waits for the log.

    Args:
        accelerator: where several processes train, means and bad steps are those of all of them.

    Example:
        >>> monitor = Monitor()
        >>> monitor.update({"task": torch.tensor(1.0)}, step=0)
        >>> monitor.update({"task": torch.tensor(2.0)}, step=1)
        >>> monitor.read()
        {'task': 1.5}
    """

    NEVER = 2**62

    def __init__(self, accelerator: Accelerator | None = None) -> None:
        self.accelerator = accelerator
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

    def check(self) -> None:
        """Make sure that every step so far was finite.

        Raises:
            NonFiniteError: naming the term and the step.
        """
        if not self._count:
            return
        bad = self._first_bad
        if self.accelerator:
            bad = self.accelerator.gather(bad).view(-1, len(bad)).amin(0)
        steps = bad.tolist()
        if min(steps) < self.NEVER:
            raise NonFiniteError(f"term {self._names[steps.index(min(steps))]!r}", min(steps))

    def read(self) -> dict[str, float]:
        """Mean of each term since the last reading; empty where there was no step.

        Raises:
            NonFiniteError: if a term became NaN or infinite.
        """
        if not self._count:
            return {}
        self.check()
        means = self._sum / self._count
        if self.accelerator:
            means = self.accelerator.reduce(means, "mean")
        self._sum.zero_()
        self._count = 0
        return dict(zip(self._names, means.tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a run that goes on logs what the unbroken one would have.

        Where several processes train, all of them ask, and all go on from their mean.
        """
        sums = self._sum.clone() if self._names else None
        if sums is not None and self.accelerator:
            sums = self.accelerator.reduce(sums, "mean")
        return {"names": self._names, "count": self._count, "sum": sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; what is saved was finite."""
        self._names, self._count = list(state["names"]), state["count"]
        if self._names:
            self._sum = state["sum"].to(self.accelerator.device if self.accelerator else "cpu")
            self._first_bad = torch.full(self._sum.shape, self.NEVER, device=self._sum.device)
