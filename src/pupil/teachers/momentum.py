"""The student's own past as teacher: an average of its weights, or a copy that is renewed now and then."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as processes

from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson
from pupil.taps import Tapped
from pupil.teachers.frozen import FrozenTeacher


class MomentumTeacher(FrozenTeacher):
    """A copy of the student that follows it, once a step, and is asked in evaluation mode without gradients.

    average <- d average + (1 - d) student, with d = min(decay, (1 + n) / (10 + n)) after n steps, so that the random
    weights of the start are soon forgotten; with ``every`` it is the student as it was when progress last passed a
    multiple of it, whole. Buffers, such as the statistics of batch normalisation, are copied in both.

    Like a frozen teacher it is absent from `parameters()` and `train()` and follows `.to()`; unlike one it is kept in
    `state_dict()`, so that a run goes on exactly where it stopped. A step is known by its progress, however many parts
    its batch has: a loop of one's own passes `progress=` to the distiller, or the teacher stays as it began.

    Args:
        student: the tapped student; its layers and its call are the teacher's too.
        decay: of the average, in [0, 1).
        every: the share of the run after which the copy is renewed, for example 1 / epochs; None averages.

    Attributes:
        updates: how often the teacher has moved.

    Raises:
        UsageError: for a decay outside [0, 1), or a share outside (0, 1].

    Reference:
        A. Tarvainen and H. Valpola, "Mean teachers are better role models", NeurIPS 2017, for the average; K. Kim et
        al., "Self-Knowledge Distillation with Progressive Refinement of Targets", ICCV 2021, for the copy.

    Example:
        >>> student = Tapped(torch.nn.Linear(1, 1, bias=False))
        >>> teacher = MomentumTeacher(student, decay=0.9)
        >>> shown = teacher(Lesson(torch.ones(1, 1), None, Activations(None), progress=0.0))
        >>> with torch.no_grad():
        ...     _ = student.model.weight.add_(1.0)
        >>> shown = teacher(Lesson(torch.ones(1, 1), None, Activations(None), progress=0.1))  # d = 1 / 10 at first
        >>> round((student.model.weight - teacher.model.weight).item(), 3)
        0.1
    """

    # Held beside the copy, where nn.Module does not look: its weights are the distiller's.
    _student: Tapped

    def __init__(self, student: Tapped, *, decay: float = 0.999, every: float | None = None) -> None:
        if not 0.0 <= decay < 1.0:
            raise UsageError(f"expected a decay in [0, 1), got {decay}: 0.999 is usual")
        if every is not None and not 0.0 < every <= 1.0:
            raise UsageError(f"expected every in (0, 1], got {every}: it is a share of the run, 1 / epochs is usual")
        super().__init__(copy.deepcopy(student).release(), student.layers, student.call)
        self._tapped.requires_grad_(False)
        self.__dict__["_student"] = student
        self.decay, self.every = decay, every
        self.updates = 0
        self.moment: float | None = None

    def forward(self, lesson: Lesson) -> Activations:
        self._follow(lesson)
        return super().forward(lesson)

    # A compiled teacher would be compiled anew for every value of progress.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def _follow(self, lesson: Lesson) -> None:
        """Move on where this lesson is the first one of a new moment."""
        moment = lesson.progress if self.every is None else math.floor(lesson.progress / self.every)
        if moment == self.moment:
            return
        networks = self.model, self._student.model
        ours, theirs = ([each.data for each in network.parameters()] for network in networks)
        if self.every is None and self.moment is not None:
            decay = min(self.decay, (1.0 + self.updates) / (10.0 + self.updates))
            torch._foreach_lerp_(ours, theirs, 1.0 - decay)
            self.updates += 1
        else:
            torch._foreach_copy_(ours, theirs)
            self.updates += self.moment is not None
        for own, other in zip(*(network.buffers() for network in networks), strict=True):
            own.copy_(other)
            # Each process has statistics of its own images; a copy that is to last must be everybody's.
            if self.every is not None and processes.is_available() and processes.is_initialized():
                processes.broadcast(own, src=0)
        self.moment = moment

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint keeps: the copy's weights and buffers, and how far it has come."""
        return {"moment": self.moment, "updates": self.updates, "network": dict(self.model.state_dict())}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`get_extra_state` gave."""
        self.model.load_state_dict(state["network"])
        self.moment, self.updates = state["moment"], state["updates"]

    def extra_repr(self) -> str:
        return f"decay={self.decay}" if self.every is None else f"every={self.every}"
