"""Tensors inside lists and dicts: what the batches and predictions of detectors are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def moved(value: Any, device: torch.device | str) -> Any:
    """The same with every tensor in it on a device; what holds none stays as it is.

    Example:
        >>> moved([{"boxes": torch.zeros(1, 4), "name": "cat"}], "cpu")
        [{'boxes': tensor([[0., 0., 0., 0.]]), 'name': 'cat'}]
    """
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: moved(each, device) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(moved(each, device) for each in value)
    return value
