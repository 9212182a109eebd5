"""The global context block: one sum over all positions, weighted by attention, is added to every position.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pupil.errors import UsageError


class GlobalContextBlock(nn.Module):
    """Adds to a map what all of its positions have to say together.

    context = sum over positions j of softmax_j(k · x_j) x_j;  out_i = x_i + W2 relu(norm(W1 context))

    norm is a LayerNorm over the inner channels. W2 begins at zero: at first out = x, and k, W1 and norm learn from the
    second step on.

    Args:
        channels: C.
        inner_channels: rows of W1; None takes half of the channels.

    Shape: (N, C, H, W) in and out, in the type of the weights whatever autocast says, since it sums over the map.

    Raises:
        UsageError: for sizes below 1.

    Reference:
        Y. Cao, J. Xu, S. Lin, F. Wei, H. Hu, "GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond",
        ICCV Workshops 2019. The code's k has a bias, which the softmax takes out again; here it has none.

    Example:
        >>> block, feature = GlobalContextBlock(8), torch.randn(2, 8, 6, 6)
        >>> torch.equal(block(feature), feature)
        True
    """

    def __init__(self, channels: int, inner_channels: int | None = None) -> None:
        super().__init__()
        inner = max(1, channels // 2) if inner_channels is None else inner_channels
        if min(channels, inner) < 1:
            raise UsageError(
                f"expected channels and inner channels of at least 1, got {channels} and {inner}: name both"
            )
        self.attention = nn.Conv2d(channels, 1, 1, bias=False)
        self.transform = nn.Sequential(
            nn.Linear(channels, inner), nn.LayerNorm(inner), nn.ReLU(), nn.Linear(inner, channels)
        )
        nn.init.kaiming_normal_(self.attention.weight)
        for parameter in self.transform[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, feature: Tensor) -> Tensor:
        with torch.autocast(feature.device.type, enabled=False):
            feature = feature.to(self.attention.weight.dtype)
            attention = self.attention(feature).flatten(2).softmax(2)
            context = (feature.flatten(2) @ attention.mT).squeeze(2)
            added: Tensor = self.transform(context)
            return feature + added[:, :, None, None]
