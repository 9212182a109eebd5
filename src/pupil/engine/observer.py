"""Listens to what the losses of a run notice, between two rows of its log."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, median
from types import TracebackType
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from pupil.observations import observations_of


class Observer:
    """Entered around a step it hears that step, so that passes that only try something out are left out.

    Args:
        losses: the terms of an objective by name.
        accelerator: where several processes train, the numbers are those of all of them.
    """

    def __init__(self, losses: nn.Module, accelerator: Accelerator | None = None) -> None:
        self.accelerator = accelerator
        self._observations = observations_of(losses)
        # What was heard before the run was cut; the first process alone goes on with it.
        self._earlier: dict[str, list[float]] = {}

    def __enter__(self) -> None:
        self._listen(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listen(False)

    def read(self) -> dict[str, dict[str, float]]:
        """Smallest, middle, mean and largest number since the last reading, by term and name; without silent ones."""
        return {
            name: {"min": min(values), "median": median(values), "mean": fmean(values), "max": max(values)}
            for name, values in self._take().items()
            if values
        }

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that a run that goes on logs what the unbroken one would have."""
        heard = self._take()
        self.load_state_dict(heard)
        return heard

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        first = self.accelerator is None or self.accelerator.is_main_process
        self._earlier = {name: list(values) for name, values in state.items()} if first else {}

    def _listen(self, listening: bool) -> None:
        for each in self._observations.values():
            for one in each:
                one.listening = listening

    def _take(self) -> dict[str, list[float]]:
        """Everything that all processes heard."""
        if not self._observations:
            return {}
        here = {
            name: self._earlier.pop(name, []) + [value for one in each for value in one.take()]
            for name, each in self._observations.items()
        }
        everyone = gather_object([here]) if self.accelerator else [here]
        return {name: [value for one in everyone for value in one[name]] for name in here}
