"""Batch normalisation that stays as it came, for batches too small to have statistics of their own."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze_batch_norm(model: nn.Module) -> None:
    """Put every BatchNorm of a network into evaluation mode and freeze its scale and shift.

    `model.train()` undoes the mode, so it is called again after that.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
        >>> freeze_batch_norm(model)
        >>> model[1].training, model[1].weight.requires_grad
        (False, False)
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval().requires_grad_(False)
