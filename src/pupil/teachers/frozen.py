"""A teacher that never learns: hidden from the optimizer, the checkpoint and `train()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

import torch
from torch import Tensor, nn

from pupil.lesson import Activations, Call, Lesson
from pupil.taps import Tapped, plain_call


class FrozenTeacher(nn.Module):
    """A trained network as teacher: in evaluation mode for ever, without gradients, and never saved.

    It follows `.to()` of the module that holds it, and is absent from `parameters()`, `state_dict()` and
    `train()`, so that its weights and buffers are bit-identical after training.

    Args:
        model: the trained network; it is switched to evaluation mode.
        layers: names of the layers to tap.
        call: how the model is asked, normally the same `Task.call` as the student's.

    Example:
        >>> teacher = FrozenTeacher(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
        >>> list(teacher.parameters()), teacher.train().model.training
        ([], False)
    """

    # Held in the instance's dictionary, where nn.Module does not look for submodules.
    _tapped: Tapped

    def __init__(self, model: nn.Module, layers: Iterable[str] = (), call: Call = plain_call) -> None:
        super().__init__()
        self.__dict__["_tapped"] = Tapped(model, layers, call).eval()

    @property
    def model(self) -> nn.Module:
        """The teacher network itself."""
        return self._tapped.model

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the tapped layers."""
        return self._tapped.layers

    def forward(self, lesson: Lesson) -> Activations:
        # Somebody may hold the same network and have called train() on it, or on a part of it.
        if any(module.training for module in self.model.modules()):
            self.model.eval()
        with torch.no_grad():
            shown: Activations = self._tapped(lesson.image, lesson.target)
        return shown

    def _apply(self, fn: Callable[[Tensor], Any], recurse: bool = True) -> Self:
        # Every .to(), .cuda() and .half() passes through here.
        self._tapped._apply(fn, recurse)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
