"""SAD: a layer learns where to look from the next deeper layer of the same network.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_choice, check_positions, check_temperature
from pupil.functional.precision import precise
from pupil.functional.resizing import resized
from pupil.functional.temperature import soften
from pupil.paper import Paper

Variant = Literal["squares", "absolute", "maximum"]
Reduction = Literal["batch", "element"]


def sad_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    variant: Variant = "squares",
    reduction: Reduction = "batch",
    temperature: float | None = 1.0,
    size: Sequence[int] | None = None,
) -> Tensor:
    """Self attention distillation: the spatial attention of a layer follows that of the next deeper one.

    L = mean over images of sum over positions of (p_student - p_teacher)²,
        p = softmax over the positions of an image of resize(sum over channels of f²) / temperature

    The two layers are of one network; a chain of layers is a sum of such losses, in which a layer in the middle is the
    student of one and the constant target of another.

    Args:
        student: feature of the shallower layer.
        teacher: feature of the deeper layer, the target; its channels, height and width may differ.
        variant: what a position counts before the softmax.

            - "squares": the sum over channels of f², the paper's choice.
            - "absolute": the sum over channels of |f|.
            - "maximum": the largest f² of all channels.
        reduction: "batch" sums over positions and averages over images; "element" averages over positions too, which
            leaves about 1e-5 of it.
        temperature: softens both maps. The paper has none: sums of squares reach hundreds and more, the softmax is then
            nearly all at one position and has no gradient. None, ours, takes the standard deviation of each map over
            its positions, a constant, so that wide and narrow layers are compared alike.
        size: (H, W) at which the maps are compared; None takes the larger of the two.

    Shape:
        student: (N, C, H, W); teacher: (N, C', H', W'); returns a scalar.

    Raises:
        UsageError: for features that are no maps of the same images, unknown settings, or a temperature <= 0.

    Reference:
        Y. Hou, Z. Ma, C. Liu, C. C. Loy, "Learning Lightweight Lane Detection CNNs by Self Attention Distillation",
        ICCV 2019, weight 0.1. The released code (cardwing/Codes-for-Lane-Detection) lacks this loss: it compares
        attention with the label, with a softmax over the batch, at weight 0. The default is the paper's, with the sum
        over positions that the authors advise. Maps are resized before the softmax, bilinearly with half-pixel
        centres, where Torch7 aligned the corners.

    Example:
        >>> import torch
        >>> shallow, deep = torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[0.0, 2.0]]]])
        >>> sad_loss(shallow, deep)
        tensor(0.4647)
    """
    if not student.dim() == teacher.dim() == 4 or len(student) != len(teacher):
        raise UsageError(
            f"expected two maps (N, C, H, W) of the same images, got {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}: take two layers of one network before any pooling"
        )
    check_choice("reduction", reduction, get_args(Reduction))
    larger = [max(pair) for pair in zip(student.shape[2:], teacher.shape[2:], strict=True)]
    ours, theirs = (
        spatial_attention(each, variant=variant, temperature=temperature, size=size or larger)
        for each in (student, teacher.detach())
    )
    squares = (ours - theirs).square()
    return squares.mean() if reduction == "element" else squares.sum((1, 2)).mean()


def spatial_attention(
    feature: Tensor, *, variant: Variant = "squares", temperature: float | None = 1.0, size: Sequence[int] | None = None
) -> Tensor:
    """Where a feature is large, as shares that sum to 1 over the positions of each image.

    Args:
        feature: of any layer that shows maps.
        variant: see :func:`sad_loss`.
        temperature: evens the shares out; None takes the map's own standard deviation.
        size: (H', W'); None keeps the feature's own.

    Shape:
        (N, C, H, W) to (N, H', W'), in float32 or better.

    Example:
        >>> import torch
        >>> spatial_attention(torch.tensor([[[[1.0, 1.0, 2.0]]]]))
        tensor([[[0.0453, 0.0453, 0.9094]]])
    """
    if temperature is not None:
        check_temperature(temperature)
    check_positions(feature)
    maps = activation_map(feature, variant)
    if size is not None:
        # Before the softmax: a softmax resized would no longer sum to 1.
        maps = resized(maps[:, None], size)[:, 0]
    flat = maps.flatten(1)
    if temperature is None:
        spread, mean = torch.std_mean(flat.detach(), dim=1, correction=0, keepdim=True)
        # Less the mean, which the softmax ignores, so that an even map of any height stays even.
        flat = (flat - mean) / spread.clamp(min=torch.finfo(flat.dtype).tiny)
    else:
        flat = soften(flat, temperature)
    return flat.softmax(1).view_as(maps)


def activation_map(feature: Tensor, variant: Variant = "squares") -> Tensor:
    """How large a feature is at each position, see the variants of :func:`sad_loss`.

    Shape:
        (N, C, H, W) to (N, H, W), in float32 or better.

    Example:
        >>> import torch
        >>> feature = torch.tensor([3.0, -4.0]).view(1, 2, 1, 1)
        >>> [activation_map(feature, variant).item() for variant in ("squares", "absolute", "maximum")]
        [25.0, 7.0, 16.0]
    """
    check_choice("variant", variant, get_args(Variant))
    feature = precise(feature)
    if variant == "absolute":
        return feature.abs().sum(1)
    return feature.square().amax(1) if variant == "maximum" else feature.square().sum(1)


class SADLoss(nn.Module):
    """Self attention distillation between two layers of one network, see :func:`sad_loss`.

    Args:
        variant: "squares", "absolute" or "maximum".
        reduction: "batch" or "element".
        temperature: softens both maps; None takes each map's own standard deviation.
        size: (H, W) at which the maps are compared; None takes the larger of the two.

    Shape:
        student: (N, C, H, W), the shallower layer; teacher: (N, C', H', W'), the deeper one; returns a scalar.

    Example:
        >>> import torch
        >>> SADLoss()(torch.randn(2, 16, 8, 8), torch.randn(2, 32, 4, 4)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Learning Lightweight Lane Detection CNNs by Self Attention Distillation",
        authors="Y. Hou, Z. Ma, C. Liu, C. C. Loy",
        venue="ICCV",
        year=2019,
        url="https://arxiv.org/abs/1908.00821",
        code="cardwing/Codes-for-Lane-Detection",
    )

    def __init__(
        self,
        *,
        variant: Variant = "squares",
        reduction: Reduction = "batch",
        temperature: float | None = 1.0,
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        check_choice("variant", variant, get_args(Variant))
        check_choice("reduction", reduction, get_args(Reduction))
        if temperature is not None:
            check_temperature(temperature)
        self.variant: Variant = variant
        self.reduction: Reduction = reduction
        self.temperature = temperature
        self.size = size

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return sad_loss(
            student,
            teacher,
            variant=self.variant,
            reduction=self.reduction,
            temperature=self.temperature,
            size=self.size,
        )

    def extra_repr(self) -> str:
        return f"variant={self.variant!r}, reduction={self.reduction!r}, temperature={self.temperature}"
