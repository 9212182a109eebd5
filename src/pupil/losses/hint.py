"""Hints (FitNet): the student's feature, adapted to the teacher's channels, equals the teacher's.

Legend: N images, C channels, H x W positions, L tokens.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_choice, check_same_shape
from pupil.functional.precision import precise
from pupil.networks.adapters import ChannelAdapter
from pupil.paper import Paper

Reduction = Literal["element", "batch"]


def hint_loss(student: Tensor, teacher: Tensor, *, reduction: Reduction = "element") -> Tensor:
    """Squared difference of two features of one shape.

    "element": mean over all elements of (student - teacher)²;
    "batch":   mean over images of the sum over their elements, larger by the number of elements of an image.

    Args:
        student: feature of the student, already adapted to the teacher's channels.
        teacher: feature of the teacher.
        reduction: "element" or "batch", as above.

    Shape:
        student, teacher: (N, C, H, W), (N, L, C) or (N, C) alike; returns a scalar.

    Raises:
        UsageError: for features of different shapes, or an unknown reduction.

    Reference:
        A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, equation 3; code adri-romsor/FitNets. The
        paper takes half of "batch", and a convolution without padding that also bridges the sizes of the maps. The
        re-implementations in use (CIRKD and others) take "element" and a 1 x 1 adapter: the default here, since its
        weight does not depend on the size of the layer.

    Example:
        >>> import torch
        >>> hint_loss(torch.zeros(2, 8, 6, 6), torch.full((2, 8, 6, 6), 3.0))
        tensor(9.)
    """
    check_choice("reduction", reduction, get_args(Reduction))
    check_same_shape(student, teacher, channels_fix="use HintLoss, which owns an adapter, or size its adapter anew")
    squares = (precise(student) - precise(teacher.detach())).square()
    return squares.mean() if reduction == "element" else squares.sum() / len(squares)


class HintLoss(nn.Module):
    """Hints with the adapter that is trained beside the student: :func:`hint_loss` of the adapted feature.

    Args:
        student_channels: channels of the student's layer.
        teacher_channels: channels of the teacher's layer.
        dims: rank of the features: 4 for maps, 3 for tokens, 2 for vectors.
        adapter: takes the place of the 1 x 1 adapter and of the three sizes above; see
            :func:`pupil.networks.adapter`, which makes one for two shapes.
        reduction: "element" or "batch".

    Shape:
        student: (N, C, H, W), (N, L, C) or (N, C); teacher: the same with C' channels; returns a scalar.

    Raises:
        UsageError: where neither both channels nor an adapter are given, or for an unknown reduction.

    Reference:
        See :func:`hint_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> HintLoss(8, 16)(torch.randn(2, 8, 6, 6), torch.randn(2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = Paper(
        title="FitNets: Hints for Thin Deep Nets",
        authors="A. Romero, N. Ballas, S. E. Kahou, A. Chassang, C. Gatta, Y. Bengio",
        venue="ICLR",
        year=2015,
        url="https://arxiv.org/abs/1412.6550",
        code="adri-romsor/FitNets",
    )

    def __init__(
        self,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
        *,
        dims: int = 4,
        adapter: nn.Module | None = None,
        reduction: Reduction = "element",
    ) -> None:
        super().__init__()
        check_choice("reduction", reduction, get_args(Reduction))
        if adapter is None:
            if student_channels is None or teacher_channels is None:
                raise UsageError(
                    f"expected the channels of both layers, got {student_channels} and {teacher_channels}: "
                    "pass both, or an adapter"
                )
            adapter = ChannelAdapter(student_channels, teacher_channels, dims=dims)
        self.adapter = adapter
        self.reduction: Reduction = reduction

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return hint_loss(self.adapter(student), teacher, reduction=self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
