"""What a network answers, in each of the forms that libraries use, as logits of the task's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.tasks.class_matching import names_of, selected

AUXILIARY = "aux"


def asked(model: nn.Module, image: Tensor) -> Any:
    """What the network answers to an image (N, 3, H, W) in [0, 1], normalised as it expects."""
    preprocessing = getattr(model, "preprocessing", None)
    return model(preprocessing(image) if preprocessing else image)


def class_logits(model: nn.Module, answer: Any, classes: Sequence[str]) -> tuple[Tensor, Tensor | None]:
    """The logits and, where there are any, the auxiliary logits, of the task's classes in their order.

    A network that names other classes in its attribute `classes`, or the same in another order, answers in the task's:
    its logits are selected by name.
    """
    logits, auxiliary = logits_in(answer)
    if theirs := names_of(model):
        ours = tuple(classes)
        logits = selected(logits, theirs, ours)
        auxiliary = None if auxiliary is None else selected(auxiliary, theirs, ours)
    return logits, auxiliary


def logits_in(answer: Any) -> tuple[Tensor, Tensor | None]:
    """The logits, and the auxiliary logits where there are any.

    Raises:
        UsageError: for an answer that is no tensor, no dict with "out" or "logits", and no tuple of tensors.
    """
    if isinstance(answer, Tensor):
        return answer, None
    if isinstance(answer, Mapping):
        main: Literal["out", "logits"] = "out" if "out" in answer else "logits"
        if main in answer:
            return answer[main], answer.get(AUXILIARY, answer.get("auxiliary_logits"))
    if isinstance(answer, tuple | list) and answer and all(isinstance(each, Tensor) for each in answer):
        return answer[0], answer[1] if len(answer) > 1 else None
    raise UsageError(
        f"expected a tensor, a dict with 'out' or 'logits', or a tuple of tensors, got {type(answer).__name__}: "
        "wrap the model so that it returns its logits"
    )
