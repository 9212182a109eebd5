"""The batch as its own teacher: what the student says of the other images, blended by how alike they are."""

from __future__ import annotations

import torch
import torch.distributed as processes
from torch import nn

from pupil.functional.batch_ensemble import check_weight, ensembled_targets
from pupil.functional.checks import check_temperature
from pupil.functional.gathering import gathered
from pupil.lesson import Activations, Lesson
from pupil.teachers.auxiliary import read


class BatchEnsembleTeacher(nn.Module):
    """Refined targets from the student's own predictions of a batch (BAKE); it has no parameters and no memory.

    output = temperature log Q, with the targets Q of :func:`~pupil.functional.batch_ensemble.ensembled_targets`

    so that the softened softmax of its output is Q, and :class:`~pupil.losses.KDLoss` of the same temperature is the
    published loss. A target of exactly 0 is raised to the smallest normal number, which the logarithm can bear.

    Args:
        layer: the student's tapped layer that the images are compared by, published with what its last linear layer
            receives, `"NAME:in"`.
        temperature: of the predictions; give the loss the same.
        weight: of the other images against an image's own prediction, in [0, 1).
        gather: look for similar images in the batches of all processes that share a step, as published.

    Raises:
        UsageError: for a temperature <= 0, a weight outside [0, 1), and, when it is asked, for a layer that is not
            tapped or an output that is not (N, K).

    Example:
        >>> student = Activations(torch.tensor([[4.0, 0.0], [0.0, 4.0]]), {"pool": torch.ones(2, 3)})
        >>> shown = BatchEnsembleTeacher("pool")(Lesson(None, None, student))
        >>> (shown.output / 4.0).softmax(dim=1)
        tensor([[0.5770, 0.4230],
                [0.4230, 0.5770]])
    """

    def __init__(self, layer: str, *, temperature: float = 4.0, weight: float = 0.5, gather: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        check_weight(weight)
        self.layer, self.temperature, self.weight, self.gather = layer, temperature, weight, gather

    @torch.no_grad()
    def forward(self, lesson: Lesson) -> Activations:
        shown = lesson.student
        (features,), logits = read(shown, [self.layer]), shown.output
        if self.gather:
            features, logits = gathered(features), gathered(logits)
        targets = ensembled_targets(features, logits, temperature=self.temperature, weight=self.weight)
        if len(targets) > len(shown.output):
            targets = targets.chunk(processes.get_world_size())[processes.get_rank()]
        return Activations(self.temperature * targets.clamp_min(torch.finfo(targets.dtype).tiny).log())

    def extra_repr(self) -> str:
        return f"{self.layer!r}, temperature={self.temperature}, weight={self.weight}, gather={self.gather}"
