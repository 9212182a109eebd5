"""The exponential moving average of a student's weights: what is validated and saved where it is on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import compress
from operator import not_
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of the student that follows it.

    average <- d average + (1 - d) student, with d = min(decay, (1 + n) / (10 + n)) after n updates, so that the
    random weights of the start are soon forgotten. Floating point buffers are averaged too; others are copied, and so
    are those with infinities, such as the mask of an attention.

    torch's `AveragedModel` does the same, but reads its count from the device in every step, which waits for it.

    Args:
        student: the network that trains.
        decay: in [0, 1).

    Attributes:
        network: the average, in evaluation mode.

    Example:
        >>> student = nn.Linear(1, 1, bias=False)
        >>> average = MovingAverage(student, decay=0.9)
        >>> with torch.no_grad():
        ...     _ = student.weight.add_(1.0)
        >>> average.update(student)  # d = 1 / 10 at first
        >>> round((student.weight - average.network.weight).item(), 3)
        0.1
    """

    def __init__(self, student: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.network = copy.deepcopy(student).eval().requires_grad_(False)
        self._averaged = [each.is_floating_point() and bool(each.isfinite().all()) for each in _tensors(student)]

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Follow the student after one of its steps."""
        decay = min(self.decay, (1.0 + self.updates) / (10.0 + self.updates))
        pairs = list(zip(_tensors(self.network), _tensors(student), strict=True))
        averaged = list(compress(pairs, self._averaged))
        torch._foreach_lerp_([own for own, _ in averaged], [other for _, other in averaged], 1.0 - decay)
        for own, other in compress(pairs, map(not_, self._averaged)):
            own.copy_(other)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"updates": self.updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.updates = state["updates"]
        self.network.load_state_dict(state["network"])


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
