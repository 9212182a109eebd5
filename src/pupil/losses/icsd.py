"""ICSD: how much the classes' maps resemble each other, compared between teacher and student.

Legend: N images, K classes, H x W positions, X = H W.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import (
    check_channels,
    check_choice,
    check_positions,
    check_same_shape,
    check_temperature,
    check_valid,
)
from pupil.functional.gathering import gathered
from pupil.functional.kl import pairwise_kl
from pupil.functional.masking import count_images, hide, image_mean
from pupil.functional.precision import without_autocast
from pupil.functional.temperature import soften
from pupil.paper import Paper

Variant = Literal["height", "flat", "textbook_mirrored", "textbook_full"]

# Rows shorter than the rounding of an entropy hold no direction: a student whose maps are all alike gets no gradient
# instead of amplified noise. The released code has 1e-12 here, which no row of its own formula ever reaches.
SHORTEST_ROW = 1e-6


def icsd_loss(
    student: Tensor,
    teacher: Tensor,
    valid: Tensor | None = None,
    *,
    variant: Variant = "textbook_full",
    temperature: float = 1.0,
    gather: bool = False,
) -> Tensor:
    """Inter-class similarity distillation: the matrix of similarities between class maps follows the teacher's.

    L = 1 / (N K²) sum over i, j of (S_ij - T_ij)²,  S, T = :func:`inter_class_similarity` with rows of unit length

    Values lie between 1e-6 and 1e-3 and shrink with the number of classes and positions; the published weight 9500
    belongs to 21 classes at 513 x 513.

    Args:
        student: logits.
        teacher: logits of the same shape; they get no gradient.
        valid: positions that count, bool; None counts all, and none at all gives 0.
        variant: which similarity, see :func:`inter_class_similarity`.
        temperature: softens the maps. Unit rows take out its scale, so the loss has no factor temperature².
        gather: average the matrices over the images of all processes that share a batch, not this one's alone.

    Shape:
        student, teacher: (N, K, H, W); valid: (N, H, W); returns a scalar. Every variant but "height" also takes
        (N, K, L) and (N, K, D, H, W).

    Raises:
        UsageError: for different shapes, too few classes to compare, or a mask that does not fit.

    Reference:
        A. M. Mansourian, R. Ahmadi, S. Kasaei, "AICSD: Adaptive Inter-Class Similarity Distillation for Semantic
        Segmentation", 2023, code AmirMansurian/AICSD. Paper and code disagree on the similarity: the default
        "textbook_full" is closest to the published wording, a KL of every pair; branch main computes "height" and
        branch new_pair_wise "flat". The normalisation is theirs, division by N included: the factor is 1.

    Example:
        >>> student = torch.linspace(-1, 1, 48).sin().reshape(1, 3, 4, 4)
        >>> icsd_loss(student, student.flip(1)) > icsd_loss(student, student)
        tensor(True)
    """
    check_same_shape(student, teacher, channels_fix="use a teacher with the student's classes")
    settings: dict[str, Any] = {"variant": variant, "temperature": temperature, "gather": gather}
    ours, images = _similarity(student, valid, **settings)
    with torch.no_grad():
        theirs, _ = _similarity(teacher, valid, **settings)
    difference = F.normalize(ours, dim=1, eps=SHORTEST_ROW) - F.normalize(theirs, dim=1, eps=SHORTEST_ROW)
    return difference.square().mean() / images


def inter_class_similarity(
    logits: Tensor,
    valid: Tensor | None = None,
    *,
    variant: Variant = "textbook_full",
    temperature: float = 1.0,
    gather: bool = False,
) -> Tensor:
    """The matrix of divergences between the classes' maps, averaged over the images.

    With p_i the softmax of logits_i / temperature over the positions of an image:

        - "textbook_full": KL(p_i || p_j).
        - "textbook_mirrored": KL(p_j || p_i) for i <= j, copied to (j, i), as the released loops run.
        - "flat": sum of p_j log p_j - <p_i, p_j> for i <= j, copied to (j, i). The released code hands probabilities
          to a KL that expects logarithms; the entropies dominate, so that the order of the classes matters.
        - "height": the same, with the softmax over every column of the image apart.

    Args:
        logits: class scores.
        valid: positions that count; None counts all. An image without any is left out.
        variant: one of the four.
        temperature: softens the maps.
        gather: average over the images of all processes that share a batch.

    Shape:
        logits: (N, K, H, W); valid: (N, H, W); returns (K, K), in float32 or better.

    Raises:
        UsageError: for an unknown variant, or logits with too few classes or positions.

    Reference:
        As :func:`icsd_loss`, which compares the matrices of student and teacher.

    Example:
        >>> maps = torch.tensor([[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
        >>> inter_class_similarity(maps)
        tensor([[0.0000, 0.1201, 0.1201],
                [0.1109, 0.0000, 0.4621],
                [0.1109, 0.4621, 0.0000]])
    """
    return _similarity(logits, valid, variant=variant, temperature=temperature, gather=gather)[0]


class ICSDLoss(nn.Module):
    """Inter-class similarity distillation, see :func:`icsd_loss`.

    Args:
        variant: "textbook_full", "textbook_mirrored", "flat" or "height".
        temperature: softens the maps.
        gather: average the matrices over the images of all processes that share a batch.

    Shape:
        student, teacher: (N, K, H, W); valid: (N, H, W) bool or None; returns a scalar.

    Example:
        >>> ICSDLoss()(torch.zeros(2, 21, 8, 8), torch.randn(2, 21, 8, 8)).shape
        torch.Size([])
    """

    paper = Paper(
        title="AICSD: Adaptive Inter-Class Similarity Distillation for Semantic Segmentation",
        authors="A. M. Mansourian, R. Ahmadi, S. Kasaei",
        venue="Multimedia Tools and Applications",
        year=2025,
        url="https://arxiv.org/abs/2308.04243",
        code="AmirMansurian/AICSD",
    )

    def __init__(self, *, variant: Variant = "textbook_full", temperature: float = 1.0, gather: bool = True) -> None:
        super().__init__()
        check_choice("variant", variant, get_args(Variant))
        check_temperature(temperature)
        self.variant: Variant = variant
        self.temperature = temperature
        self.gather = gather

    def forward(self, student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
        return icsd_loss(
            student, teacher, valid, variant=self.variant, temperature=self.temperature, gather=self.gather
        )

    def extra_repr(self) -> str:
        return f"variant={self.variant!r}, temperature={self.temperature}"


def _similarity(
    logits: Tensor, valid: Tensor | None, *, variant: Variant, temperature: float, gather: bool
) -> tuple[Tensor, Tensor | int]:
    """The matrix, averaged over images, and how many images that were."""
    check_choice("variant", variant, get_args(Variant))
    check_temperature(temperature)
    check_valid(valid, logits)
    check_positions(logits)
    if variant == "height" and logits.dim() != 4:
        raise UsageError(f"expected logits (N, K, H, W), got {tuple(logits.shape)}: variant 'flat' takes any positions")
    if variant.startswith("textbook"):
        check_channels(logits, at_least=3, because="two classes always have the same unit rows, use variant='flat'")
        matrices = pairwise_kl(hide(soften(logits, temperature), valid).flatten(2))
    else:
        check_channels(logits, at_least=2, because="a single class has no other to resemble")
        matrices = _released(logits, valid, variant, temperature)
    counted = None if valid is None else valid.flatten(1).any(1, keepdim=True)
    if gather:
        matrices, counted = gathered(matrices), None if counted is None else gathered(counted)
    mean, images = image_mean(matrices, counted), count_images(matrices, counted)
    return mean if variant == "textbook_full" else mean.tril() + mean.tril(-1).mT, images


def _released(logits: Tensor, valid: Tensor | None, variant: Variant, temperature: float) -> Tensor:
    """(N, K, K): sum of p_i log p_i - <p_i, p_j>; its lower triangle is what the released loop fills in."""
    softened = hide(soften(logits, temperature), valid)
    logarithm = F.log_softmax(softened if variant == "height" else softened.flatten(2), dim=2).flatten(2)
    probability = logarithm.exp()
    if valid is not None:
        # A column without a valid position would count as a uniform one.
        probability = probability.masked_fill(~valid.flatten(1).unsqueeze(1), 0.0)
    negative_entropy = (probability * logarithm).sum(2, keepdim=True)
    with without_autocast(logits):
        return negative_entropy - probability @ probability.mT
