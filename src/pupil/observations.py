"""What a loss noticed about its own work: numbers beside its value, kept where they are until the log asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Observations(nn.Module):
    """Numbers that a loss shows to the log: not trained, not waited for, and only while somebody listens.

    A loss registers one as a child and calls it; who trains switches it on around its steps and takes what came. Left
    alone, as in a loop of one's own, it keeps nothing. Here for losses to inherit from: :meth:`explain` turns the
    numbers into advice.

    Shape:
        any, and any number of times a step.

    Example:
        >>> trust = Observations()
        >>> trust(torch.tensor([0.9, 0.7]))
        >>> trust.listening = True
        >>> trust(torch.tensor([0.5, 1.0]))
        >>> trust.take(), trust.take()
        ([0.5, 1.0], [])
    """

    def __init__(self) -> None:
        super().__init__()
        self.listening = False
        self._seen: list[Tensor] = []

    def forward(self, values: Tensor) -> None:
        if self.listening:
            self._seen.append(values.detach().flatten().float())

    def take(self) -> list[float]:
        """All numbers since the last taking; NaN is none."""
        seen, self._seen = self._seen, []
        values = torch.cat(seen) if seen else torch.zeros(0)
        return values[~values.isnan()].tolist()

    def explain(self, observed: Mapping[str, float]) -> str | None:
        """What a person should know about these numbers, or None.

        Args:
            observed: min, median, mean and max.
        """
        return None


def observations_of(losses: nn.Module) -> dict[str, list[Any]]:
    """Those below some losses, by term and name.

    Example:
        >>> from pupil.losses import AIDLoss, FBKDLoss
        >>> list(observations_of(nn.ModuleDict({"aid": AIDLoss(FBKDLoss({"p3": (8, 8)}))})))
        ['aid trust']
    """
    found: dict[str, list[Any]] = {}
    for path, module in losses.named_modules():
        if isinstance(module, Observations):
            term, *_, name = path.split(".")
            found.setdefault(f"{term} {name}", []).append(module)
    return found
