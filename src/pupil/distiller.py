"""The distiller: student, teacher and the terms of the objective in one forward pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Inputs, Lesson, Teacher, Weight
from pupil.schedules import weight_at
from pupil.taps import Tapped, first_tensor


class Term(nn.Module):
    """One line of the objective: weight x loss(inputs).

    A term whose weight is 0.0 at this moment does not compute its loss; it returns zero times the sum of its own
    parameters, so that every parameter keeps a gradient and data parallel training stays whole.

    Args:
        loss: any module that turns its inputs into one number.
        inputs: which tensors of the lesson the loss receives.
        weight: a number, or a schedule that reads the lesson.

    Example:
        >>> from pupil.lesson import supervised
        >>> Term(nn.CrossEntropyLoss(), supervised, weight=0.5)
        Term(
          weight=0.5
          (loss): CrossEntropyLoss()
        )
    """

    def __init__(self, loss: nn.Module, inputs: Inputs, weight: Weight = 1.0) -> None:
        super().__init__()
        self.loss = loss
        self.inputs = inputs
        self.weight = weight

    def forward(self, lesson: Lesson) -> Tensor:
        weight = weight_at(self.weight, lesson)
        if weight == 0.0:
            return self._silent(lesson)
        return weight * self.unweighted(lesson)

    def unweighted(self, lesson: Lesson) -> Tensor:
        """The loss alone, whatever its weight is now."""
        value: Tensor = self.loss(*self.inputs(lesson))
        return value

    def extra_repr(self) -> str:
        return f"weight={self.weight}"

    def _silent(self, lesson: Lesson) -> Tensor:
        # A detector's output is a record and its image a list, so the device is found on any tensor inside.
        found = first_tensor([lesson.student.output, lesson.student.features, lesson.image])
        zero = torch.zeros((), device=None if found is None else found.device)
        return sum((0.0 * parameter.sum() for parameter in self.parameters()), zero)


class Distiller(nn.Module):
    """Student, teacher and objective in one forward pass that returns the weighted terms by name.

    `parameters()` are the student's, those of the losses (adapters) and those of a teacher that trains; a frozen
    teacher is in none of them. It is for training: validation asks the student.

    Args:
        student: the network to be trained.
        teacher: whatever turns a lesson into activations, or None.
        losses: the terms of the objective by name.

    Shape:
        image and target are as the student's call takes them; every returned term is a scalar.

    Raises:
        UsageError: if the student is not tapped, student and frozen teacher are one and the same network, a loss
            is no term, or the name of a term cannot name a module.

    Example:
        >>> from pupil.lesson import outputs, supervised
        >>> from pupil.losses import KDLoss
        >>> from pupil.teachers import FrozenTeacher
        >>> distiller = Distiller(Tapped(nn.Linear(4, 3)), FrozenTeacher(nn.Linear(4, 3)), {
        ...     "task": Term(nn.CrossEntropyLoss(), supervised),
        ...     "kd": Term(KDLoss(temperature=4.0), outputs, weight=0.9),
        ... })
        >>> terms = distiller(torch.zeros(2, 4), torch.tensor([0, 2]))
        >>> sum(terms.values()).backward()
        >>> list(terms), len(list(distiller.parameters()))
        (['task', 'kd'], 2)
    """

    def __init__(self, student: Tapped, teacher: Teacher | None, losses: dict[str, Term]) -> None:
        super().__init__()
        if not isinstance(student, Tapped):
            raise UsageError(f"expected a tapped student, got {type(student).__name__}: pass Tapped(student)")
        if getattr(teacher, "model", None) is student.model:
            raise UsageError("expected two networks, got one as student and teacher: pass copy.deepcopy(model)")
        for name, term in losses.items():
            if not name or "." in name or hasattr(nn.ModuleDict(), name):
                raise UsageError(f"expected a name that a module can have, got {name!r} for a term: rename it")
            if not isinstance(term, Term):
                raise UsageError(f"expected {name!r} to be a Term, got {type(term).__name__}: pass Term(loss, inputs)")
        self.student = student
        self.teacher = teacher
        self.losses = nn.ModuleDict(losses)

    @property
    def terms(self) -> dict[str, Term]:
        """The terms of the objective by name."""
        return {name: term for name, term in self.losses.items() if isinstance(term, Term)}

    def forward(
        self, image: Any, target: Any = None, *, progress: float = 0.0, sample: Any = None
    ) -> dict[str, Tensor]:
        lesson = self.lesson(image, target, progress=progress, sample=sample)
        return {name: term(lesson) for name, term in self.terms.items()}

    def lesson(self, image: Any, target: Any = None, *, progress: float = 0.0, sample: Any = None) -> Lesson:
        """Ask the student, then the teacher, and return what both showed."""
        student = self.student(image, target)
        if student.batch is not None:
            image, target = student.batch
        lesson = Lesson(image, target, student, progress=progress, sample=sample)
        if self.teacher is None:
            return lesson
        return replace(lesson, teacher=self.teacher(lesson))
