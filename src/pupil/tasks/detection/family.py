"""What the detectors of one family have of their own; everything else about a call is the same for all."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from pupil.tasks.detection.records import ImageBatch, Targets, TaskLosses

Pyramid = Mapping[str, Tensor]
Head = Mapping[str, Tensor]
Proposals = tuple[Tensor, ...] | None


@dataclass(frozen=True)
class Seen:
    """What a module received, and what it returned."""

    received: tuple[Any, ...]
    output: Any


@dataclass(frozen=True)
class Family:
    """One family of torchvision's detectors.

    Args:
        watched: the modules whose outputs are read while the detector trains, by name.
        said: the outputs of the heads and the proposals, from what these modules showed.
        outputs: the same of a batch outside training.
        anchors: how many rows of the heads' outputs belong to each level.
        task_losses: the detector's own losses, image by image.
        two_stage: whether its heads speak of proposals.
    """

    watched: Callable[[Any], Mapping[str, nn.Module]]
    said: Callable[[Mapping[str, Seen]], tuple[Head, Proposals]]
    outputs: Callable[[Any, ImageBatch, Pyramid], Head]
    anchors: Callable[[Any, Pyramid], tuple[int, ...]]
    task_losses: Callable[[Any, ImageBatch, Pyramid, Head, Targets], TaskLosses]
    two_stage: bool = False


@contextmanager
def watching(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Seen]]:
    """Within the block, what each of these modules last received and returned.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with watching({"first": model[0]}) as seen:
        ...     shown = model(torch.zeros(1, 2))
        >>> seen["first"].output.shape
        torch.Size([1, 3])
    """
    seen: dict[str, Seen] = {}

    def write(name: str, module: nn.Module, received: tuple[Any, ...], output: Any) -> None:
        seen[name] = Seen(received, output)

    handles = [module.register_forward_hook(partial(write, name)) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def twin(module: Any, **own: Any) -> Any:
    """The same module with some attributes of its own: all layers are shared, and there is nothing to put back.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3))
        >>> other = twin(model, training=False)
        >>> other[0] is model[0], other.training, model.training
        (True, False, True)
    """
    found = copy.copy(module)
    # Not by setattr, which would register a layer in the dict that both share.
    vars(found).update(own)
    return found


def named_levels(features: Any) -> dict[str, Tensor]:
    """A backbone's answer as levels by name; torchvision calls a single map "0"."""
    return {"0": features} if isinstance(features, Tensor) else dict(features)
