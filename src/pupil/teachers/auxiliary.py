"""A teacher that reads the student's features and is trained beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from pupil.lesson import Activations, Inputs, Lesson, feature_of, teacher_of


class AuxiliaryTeacher(nn.Module):
    """A trainable network on the student's tapped features, which refines them and gives an output of its own.

    The features are not detached: what trains this network also trains the layers of the student below them. It is no
    part of the student, so that neither evaluation nor the student's file knows of it.

    Args:
        network: from a list of features to (output, refined features), one refined feature for each.
        layers: names of the student's layers, in the order in which the network takes them.
        maps: what each feature passes on its way to the network, one for each layer; None gives them as they are.

    Shape:
        output: as the network's; features: the refined ones, by the name of the layer that they refine.

    Raises:
        UsageError: when it is asked, for a layer that is not tapped.

    Example:
        >>> import torch
        >>> from pupil.networks import SelfTeacher
        >>> teacher = AuxiliaryTeacher(SelfTeacher([4, 8], classes=3), ["layer1", "layer2"])
        >>> student = Activations(None, {"layer1": torch.rand(2, 4, 8, 8), "layer2": torch.rand(2, 8, 4, 4)})
        >>> shown = teacher(Lesson(None, None, student))
        >>> shown.output.shape, {name: tuple(each.shape) for name, each in shown.features.items()}
        (torch.Size([2, 3]), {'layer1': (2, 8, 8, 8), 'layer2': (2, 16, 4, 4)})
    """

    def __init__(
        self, network: nn.Module, layers: Iterable[str], *, maps: Sequence[Callable[[Tensor], Tensor]] | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.layers = tuple(layers)
        self.maps = maps

    def forward(self, lesson: Lesson) -> Activations:
        output, refined = self.network(read(lesson.student, self.layers, self.maps))
        return Activations(output, dict(zip(self.layers, refined, strict=True)))

    def extra_repr(self) -> str:
        return f"layers={self.layers}"


def read(
    shown: Activations, layers: Iterable[str], maps: Sequence[Callable[[Tensor], Tensor]] | None = None
) -> list[Tensor]:
    """The features of these layers in order, each passed through its own map where there are any."""
    found = [feature_of(shown, layer) for layer in layers]
    return found if maps is None else [to_map(each) for to_map, each in zip(maps, found, strict=True)]


def taught(inputs: Inputs) -> Inputs:
    """The same inputs with the teacher in the student's place: with them a task's own loss trains the teacher.

    Example:
        >>> from pupil.lesson import supervised
        >>> taught(supervised)(Lesson(None, "target", Activations("student"), Activations("teacher")))
        ('teacher', 'target')
    """
    return partial(_taught, inputs=inputs)


def _taught(lesson: Lesson, *, inputs: Inputs) -> tuple[Any, ...]:
    return inputs(replace(lesson, student=teacher_of(lesson)))
