"""Small tensors that every step needs again."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

# A plain dictionary, which torch.compile reads through.
_KEPT: dict[tuple[Hashable, torch.device], Tensor] = {}


def constant(key: Hashable, device: torch.device, make: Callable[[], Tensor]) -> Tensor:
    """A tensor that follows from its key, on a device: made once.

    Made anew in every step it would be copied from the host each time, and a GPU would wait.

    Args:
        key: all that the tensor's values follow from, and who asks.
        device: where it is to be.
        make: makes it, on the CPU.

    Example:
        >>> numbers = constant(("example", 3), torch.device("cpu"), lambda: torch.arange(3))
        >>> numbers is constant(("example", 3), torch.device("cpu"), lambda: torch.arange(3))
        True
    """
    place = key, device
    if place not in _KEPT:
        # A tensor born under inference mode could never take part in a training step.
        with torch.inference_mode(False):
            _KEPT[place] = make().to(device)
    return _KEPT[place]
