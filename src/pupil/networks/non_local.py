"""The non-local block: every position gathers what the others know, weighted by how alike they are.

Legend: N images, C channels, K inner channels, H x W positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError


class NonLocalBlock(nn.Module):
    """Adds to a map, at each position, a sum over all positions: dot-product attention without a softmax.

    y_i = 1 / n sum over the n pooled positions j of (theta(x_i) · phi(x_j)) g(x_j);  out = x + norm(W y)

    theta, phi, g and W are 1x1 convolutions, phi and g are max-pooled, norm is a BatchNorm whose scale and shift begin
    at zero: at first out = x, and theta, phi, g and W learn from the second step on. The sum is taken as
    theta · (sum over j of phi gᵀ), a K x K matrix for an image; the H W x n attention is never made.

    Args:
        channels: C.
        inner_channels: K.
        pool: kernel and stride of the pooling; it shrinks to the map where the map is smaller.

    Shape: (N, C, H, W) in and out, in the type of the weights whatever autocast says, since it is cubic in the map.

    Raises:
        UsageError: for sizes below 1.

    Reference:
        X. Wang, R. Girshick, A. Gupta, K. He, "Non-local Neural Networks", CVPR 2018, the dot-product form, with the
        pooling of its section 3.3.

    Example:
        >>> block, feature = NonLocalBlock(8, 4), torch.randn(2, 8, 6, 6)
        >>> torch.equal(block(feature), feature)
        True
    """

    def __init__(self, channels: int, inner_channels: int, *, pool: int = 2) -> None:
        super().__init__()
        if min(channels, inner_channels, pool) < 1:
            raise UsageError(
                f"expected channels, inner channels and pool of at least 1, got {channels}, {inner_channels} and "
                f"{pool}: the published blocks have 256, 128 and 2"
            )
        self.pool = pool
        self.theta = nn.Conv2d(channels, inner_channels, 1)
        self.phi = nn.Conv2d(channels, inner_channels, 1)
        self.g = nn.Conv2d(channels, inner_channels, 1)
        self.out = nn.Conv2d(inner_channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, feature: Tensor) -> Tensor:
        with torch.autocast(feature.device.type, enabled=False):
            feature = feature.to(self.theta.weight.dtype)
            pool = min(self.pool, *feature.shape[2:])
            theta = self.theta(feature)
            phi, g = (F.max_pool2d(project(feature), pool).flatten(2) for project in (self.phi, self.g))
            gathered = (g @ phi.mT / phi.shape[2]) @ theta.flatten(2)
            return feature + self._normalized(self.out(gathered.view_as(theta)))

    def _normalized(self, maps: Tensor) -> Tensor:
        norm = self.norm
        if maps.numel() > maps.shape[1] or not self.training:
            normalized: Tensor = norm(maps)
            return normalized
        # One image of one position has no statistics of its own, and BatchNorm refuses it: the running ones serve.
        return F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)

    def extra_repr(self) -> str:
        return f"pool={self.pool}"
