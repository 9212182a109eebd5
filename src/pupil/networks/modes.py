"""Training and evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block the model is in evaluation mode; afterwards every module is in the mode that it was in.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm2d(3).eval(), nn.ReLU())
        >>> with evaluating(model):
        ...     model.training
        False
        >>> model.training, model[0].training
        (True, False)
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
