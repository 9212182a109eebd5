"""The precision in which losses compute."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(tensor: Tensor) -> Tensor:
    """The tensor in float32 or better: half types are promoted, float32 and float64 stay as they are.

    Softmax, logarithm, norm and square lose their small terms in half precision, and those terms are what a
    teacher has to say beyond the label. A promotion is differentiable: gradients return in the type that came.

    Args:
        tensor: any floating-point tensor.

    Example:
        >>> precise(torch.zeros(2, dtype=torch.float16)).dtype, precise(torch.zeros(2).double()).dtype
        (torch.float32, torch.float64)
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def without_autocast(tensor: Tensor) -> torch.autocast:
    """A context in which a matrix product of float32 tensors stays float32, whatever autocast says.

    Args:
        tensor: any tensor on the device where the product runs.

    Example:
        >>> a = torch.ones(2, 2)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16), without_autocast(a):
        ...     print((a @ a).dtype)
        torch.float32
    """
    return torch.autocast(tensor.device.type, enabled=False)
