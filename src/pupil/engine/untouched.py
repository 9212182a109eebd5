"""Trying a distiller out without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Within the block the module may run in training mode; afterwards its buffers and the random state are as before.

    Gradients are the caller's business: `torch.autograd.grad` leaves none on the parameters.

    Example:
        >>> norm = nn.BatchNorm1d(1)
        >>> with untouched(norm):
        ...     shown = norm(torch.tensor([[1.0], [3.0]]))
        >>> norm.running_mean, int(norm.num_batches_tracked)
        (tensor([0.]), 0)
    """
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    devices = {each.device for each in (*module.parameters(), *module.buffers()) if each.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        with torch.no_grad():
            # By name, since a module may have put a new tensor in a buffer's place.
            for name, buffer in module.named_buffers():
                buffer.copy_(before[name])
