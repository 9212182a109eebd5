"""The call of a detector of the reader's own, which is none of torchvision's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from pupil.errors import UsageError, listed
from pupil.lesson import Activations, Call
from pupil.tasks.detection.records import DetectorRecord, ImageBatch

WANTED = "call(model, image, target) -> Activations(DetectorRecord(levels, ...), features, batch)"


def attached_call(model: nn.Module) -> Call | None:
    """The call that a model carries: a function in its attribute `call`, or a method of its class.

    Both take the model first, then image and target, as a method does.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> attached_call(model) is None
        True
        >>> model.call = lambda model, image, target: Activations(image)
        >>> attached_call(model)(model, 5, None).output
        5
    """
    found = getattr(model, "call", None)
    # Bound to nothing, the call of a model serves its copies as well.
    found = getattr(found, "__func__", found)
    return found if callable(found) else None


@dataclass(frozen=True)
class OwnCall:
    """Asks a detector by its own call, and checks what that shows.

    ================================  ==================================================================================
    what it is asked                  what it returns
    ================================  ==================================================================================
    training, images and targets      `losses` in the record, and as `batch` the :class:`ImageBatch` and the targets
                                      that the detector saw
    evaluation, images alone          the levels and that `batch`
    evaluation, an `ImageBatch`       the levels of a batch that a student has transformed; with targets, for a teacher
                                      of the method aid, `task_losses` in the record
    ================================  ==================================================================================

    The record names the levels of the pyramid, from the largest map on; each is a feature (N, C, H, W).

    Args:
        show: the call, (model, image, target) to activations.

    Raises:
        UsageError: for one that returns something else, or leaves out what is needed.
    """

    show: Call

    def __call__(self, model: nn.Module, image: Any, target: Any = None) -> Activations:
        shown, name = self.show(model, image, target), type(model).__name__
        record = getattr(shown, "output", None)
        if not isinstance(shown, Activations) or not isinstance(record, DetectorRecord):
            got = type(record if isinstance(shown, Activations) else shown).__name__
            raise UsageError(f"expected activations with a DetectorRecord from the call of {name}, got {got}: {WANTED}")
        missing = [level for level in record.levels if level not in shown.features]
        if missing or not record.levels:
            raise UsageError(
                f"expected each level of the pyramid among the features in the call of {name}, got none for "
                f"{listed(missing, 8) or 'any'}: {WANTED}"
            )
        asked = isinstance(image, ImageBatch)
        if not asked and not (shown.batch and isinstance(shown.batch[0], ImageBatch)):
            raise UsageError(
                f"expected the images as {name} sees them, got none from its call: return batch=(ImageBatch(...), "
                "targets) in its Activations"
            )
        if model.training and not asked and not record.losses:
            raise UsageError(
                f"expected the losses of {name} in training, got none from its call: return them by name in "
                "DetectorRecord(losses=...)"
            )
        return shown
