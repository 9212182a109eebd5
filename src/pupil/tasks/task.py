"""What every task offers; methods and the engine know a task by this alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from pupil.lesson import Activations, Inputs, Kind


class Metrics(Protocol):
    """Scores gathered over a data set."""

    def update(self, prediction: Any, target: Any) -> None: ...

    def compute(self) -> Mapping[str, float]: ...


class Task(Protocol):
    """How to call a model, its loss, its prediction, its metrics and its pictures.

    Attributes:
        name: the task's name, as in `pupil train NAME`.
        metric: which of the metrics stands in a results table.
        kind: what its networks answer with: "dense" a prediction at every position, logits (N, K, h, w), "whole" one an
            image, logits (N, K), "boxes" those of objects.
    """

    name: str
    kind: Kind

    @property
    def metric(self) -> str: ...

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes, in the order of the network's channels."""
        ...

    @property
    def legend(self) -> Mapping[str, Sequence[int]]:
        """What the colours of its pictures mean: (red, green, blue) by name; empty where they say it themselves."""
        ...

    def call(self, model: nn.Module, image: Any, target: Any = None) -> Activations:
        """Ask a model, student and teacher alike: preprocess, run, name what came out."""
        ...

    def objective(self, **options: Any) -> tuple[nn.Module, Inputs]:
        """The task loss and its inputs; a method's options, as `label_smoothing`, come before the task's own."""
        ...

    def predict(self, model: nn.Module, image: Tensor) -> Any:
        """The prediction in the geometry of the original image."""
        ...

    def metrics(self) -> Metrics:
        """A fresh set of scores."""
        ...

    def draw(self, image: Tensor, prediction: Any, target: Any = None) -> Tensor:
        """A picture (3, H, W) uint8 of the prediction over the image."""
        ...
