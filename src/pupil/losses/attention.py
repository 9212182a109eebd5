"""Attention transfer (AT): the student looks where the teacher looks.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_choice, check_same_grid
from pupil.functional.precision import precise
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper

Variant = Literal["paper", "code"]


def attention_loss(student: Tensor, teacher: Tensor, *, power: float = 2.0, variant: Variant = "paper") -> Tensor:
    """Compare where the features of an image are large, whatever the number of channels.

    q = flatten(mean over channels of |f|^power) / its Euclidean norm,  one vector of H W numbers for an image;
    "paper": mean over images of ||q(student) - q(teacher)||;
    "code":  mean over images and positions of (q(student) - q(teacher))².

    Args:
        student: feature of the student.
        teacher: feature of the teacher; its channels may differ.
        power: the larger, the more the largest activation of a position counts.
        variant: "paper" or "code", as above.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); returns a scalar.

    Raises:
        UsageError: for maps on different grids, an unknown variant, or a power below 1.

    Reference:
        S. Zagoruyko and N. Komodakis, "Paying More Attention to Attention", ICLR 2017, equation 2, whose factor
        beta / 2 belongs to the weight; code szagoruyko/attention-transfer, which squares the difference and takes its
        mean. The default is the paper. The weights in use (1000 there, 10000 in CIRKD) belong to "code", whose value is
        smaller by about the number of positions and whose gradient fades as the maps agree.

    Example:
        >>> import torch
        >>> feature = torch.randn(2, 8, 6, 6)
        >>> attention_loss(3 * feature, feature) < 1e-6
        tensor(True)
    """
    check_same_grid(student, teacher)
    _check(power, variant)
    difference = attention_map(student, power) - attention_map(teacher.detach(), power)
    return difference.square().mean() if variant == "code" else difference.norm(dim=1).mean()


def attention_map(feature: Tensor, power: float = 2.0) -> Tensor:
    """Where a feature is large: the mean over channels of |f|^power, as one vector of length one for each image.

    Args:
        feature: (N, C, H, W).
        power: the larger, the more the largest activation of a position counts.

    Returns:
        (N, H W) in float32 or better; zero for an image without any activation.

    Example:
        >>> import torch
        >>> attention_map(torch.tensor([[[[3.0, 4.0]]]]), power=1.0)
        tensor([[0.6000, 0.8000]])
    """
    return unit_vectors(precise(feature).abs().pow(power).mean(1).flatten(1))


class AttentionLoss(nn.Module):
    """Attention transfer as a module: :func:`attention_loss` with its settings stored.

    Args:
        power: the larger, the more the largest activation of a position counts.
        variant: "paper" (mean norm of the difference) or "code" (mean square).

    Shape:
        student: (N, C, H, W); teacher: (N, C', H, W); returns a scalar.

    Reference:
        See :func:`attention_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> AttentionLoss()(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Paying More Attention to Attention: Improving the Performance of Convolutional Neural Networks via "
        "Attention Transfer",
        authors="S. Zagoruyko, N. Komodakis",
        venue="ICLR",
        year=2017,
        url="https://arxiv.org/abs/1612.03928",
        code="szagoruyko/attention-transfer",
    )

    def __init__(self, *, power: float = 2.0, variant: Variant = "paper") -> None:
        super().__init__()
        _check(power, variant)
        self.power = power
        self.variant: Variant = variant

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return attention_loss(student, teacher, power=self.power, variant=self.variant)

    def extra_repr(self) -> str:
        return f"power={self.power}, variant={self.variant!r}"


def _check(power: float, variant: Variant) -> None:
    check_choice("variant", variant, get_args(Variant))
    if power < 1:
        raise UsageError(f"expected a power of at least 1, got {power}: pass 2, as the paper does")
