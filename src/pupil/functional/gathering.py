"""A batch that several processes share, put together again where a loss relates images to one another."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as processes
from torch import Tensor


def gathered(feature: Tensor) -> Tensor:
    """The features of all processes in the order of their ranks; the feature itself where there is one process.

    Gradients flow back to the process that each part came from, so that data parallel training, which averages the
    processes' gradients, finds that of one process with the whole batch. All processes hold equally many images.

    Args:
        feature: this process's images.

    Shape:
        feature: (N, ...); returned as (processes x N, ...).

    Example:
        >>> gathered(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    if not (processes.is_available() and processes.is_initialized()) or processes.get_world_size() == 1:
        return feature
    together: Tensor = _Gather.apply(feature)
    return together


class _Gather(torch.autograd.Function):
    """All parts forwards; backwards the sum over processes of what each says about one's own part."""

    @staticmethod
    def forward(context: Any, feature: Tensor) -> Tensor:
        parts = [torch.empty_like(feature) for _ in range(processes.get_world_size())]
        processes.all_gather(parts, feature.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        processes.all_reduce(total)
        return total.chunk(processes.get_world_size())[processes.get_rank()]
