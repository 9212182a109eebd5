"""Correlation congruence (CCKD): the images of a batch correlate for the student as they do for the teacher.

Legend: N images, D numbers of one image's embedding, C channels, H x W positions, M instances that are related.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_choice, check_same_images
from pupil.functional.distances import distances
from pupil.functional.gathering import gathered
from pupil.functional.pooling import image_vectors
from pupil.functional.precision import precise, without_autocast
from pupil.functional.unit_vectors import unit_vectors
from pupil.networks.adapters import ChannelAdapter
from pupil.paper import Paper

Kernel = Literal["taylor", "rbf", "bilinear", "cosine", "mmd"]
Variant = Literal["paper", "neighbour"]
Instances = Literal["image", "grid"]
Reduction = Literal["mean", "sum"]


def cckd_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    kernel: Kernel = "taylor",
    gamma: float = 0.4,
    order: int = 2,
    normalize: bool | None = None,
    instances: Instances = "image",
    grid: int | tuple[int, int] = 4,
    variant: Variant = "paper",
    reduction: Reduction = "mean",
    gather: bool = False,
) -> Tensor:
    """Compare the correlations between the images of a batch, each matrix made by a kernel within one network.

    L = 1 / N² sum over i, j of (k(s_i, s_j) - k(t_i, t_j))²,  k = :func:`correlation`

    Args:
        student: embedding of the student.
        teacher: embedding of the teacher; its width may differ.
        kernel: "taylor", "rbf", "bilinear", "cosine" or "mmd", see :func:`correlation`.
        gamma: inverse width of the two radial kernels.
        order: highest power of the Taylor kernel.
        normalize: whether embeddings are brought to length one first, see :func:`correlation`.
        instances: what is related.

            - "image": the images of the batch; maps and tokens are averaged over their positions.
            - "grid": the cells of one image, a map averaged over `grid`; the loss is the mean over images.

        grid: rows and columns of cells, one number for both.
        variant: "paper" as above; "neighbour" is the mean over i < N of <|s_i - t_i|, |s_(i+1) - t_(i+1)|>, which
            needs equal widths and depends on the order of the batch.
        reduction: "sum" leaves out the factor 1 / N², or 1 / (N - 1) of the neighbours.
        gather: relate the images of all processes that share a batch, not this one's alone.

    Shape:
        student: (N, D), (N, L, D) or (N, D, H, W), for "grid" the last; teacher: likewise; returns a scalar.

    Raises:
        UsageError: for different numbers of images, features that the instances cannot be taken from, "neighbour" with
            unequal widths, or settings that do not exist.

    Reference:
        B. Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019, equations 6 and 9; the authors
        released no code. They weight the loss by 0.003 beside values in the thousands, so probably a sum over pairs:
        with the mean the usual weight is 100 (AberHu/Knowledge-Distillation-Zoo), and "sum" needs it divided by N².
        Equation 9 leaves the length of the embeddings open; it is the expansion of the radial kernel for length one
        alone, which is the default here as in that code. "neighbour" is another loss by the same name in
        HobbitLong/RepDistiller, which says that the authors supplied it.

    Example:
        >>> import torch
        >>> embedding = torch.randn(8, 16)
        >>> cckd_loss(3 * embedding, embedding) < 1e-6
        tensor(True)
    """
    _check(kernel, gamma, order, instances, variant, reduction)
    check_same_images(student, teacher)
    ours, theirs = (_instances(each, instances, grid, gather) for each in (student, teacher.detach()))
    if variant == "neighbour":
        return _neighbour_loss(ours, theirs, reduction)
    settings: dict[str, Any] = {"kernel": kernel, "gamma": gamma, "order": order, "normalize": normalize}
    squares = (correlation(ours, **settings) - correlation(theirs, **settings)).square()
    return squares.mean() if reduction == "mean" else squares.sum((-2, -1)).mean()


def correlation(
    embedding: Tensor,
    *,
    kernel: Kernel = "taylor",
    gamma: float = 0.4,
    order: int = 2,
    normalize: bool | None = None,
) -> Tensor:
    """The matrix of a kernel between any two embeddings, without their M x M x D differences.

        - "taylor": sum over p <= order of exp(-2 gamma) (2 gamma)^p / p! <x, y>^p, the expansion of "rbf".
        - "rbf": exp(-gamma ||x - y||²).
        - "bilinear": <x, y>;  "cosine": the same of vectors of length one.
        - "mmd": |mean of x - mean of y|.

    Args:
        embedding: (..., M, D), computed in float32 or better.
        kernel: one of the five.
        gamma: inverse width of "taylor" and "rbf".
        order: highest power of "taylor"; 2 stays within 0.085 of "rbf" for gamma 0.4.
        normalize: whether embeddings are brought to length one first; None does so for "taylor" and "cosine".

    Returns:
        (..., M, M).

    Example:
        >>> import torch
        >>> correlation(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), kernel="cosine")
        tensor([[1.0000, 0.7071],
                [0.7071, 1.0000]])
    """
    rows = precise(embedding)
    if kernel in ("taylor", "cosine") if normalize is None else normalize:
        rows = unit_vectors(rows, dim=-1)
    if kernel == "mmd":
        means = rows.mean(-1)
        return (means.unsqueeze(-1) - means.unsqueeze(-2)).abs()
    if kernel == "rbf":
        return (-gamma * distances(rows).square()).exp()
    with without_autocast(rows):
        products = rows @ rows.mT
    return products if kernel != "taylor" else _polynomial(products, gamma, order)


class CCKDLoss(nn.Module):
    """Correlation congruence as a module, with an embedding of the student where one is asked for.

    The paper adds a linear layer to both networks before either is trained. A frozen teacher is compared as it is, and
    only the student's layer is learned: two that learn could agree by shrinking together.

    Args:
        student_channels: width of the student's layer; it adds a linear layer to `embedding` that is trained with the
            student. None compares the layer itself.
        embedding: width of the student's embedding, 128 in the paper.
        dims: rank of the student's layer where it is embedded: 2 vectors, 3 tokens, 4 maps.
        kernel: "taylor", "rbf", "bilinear", "cosine" or "mmd".
        gamma: inverse width of the two radial kernels.
        order: highest power of the Taylor kernel.
        normalize: whether embeddings are brought to length one first; None does so for "taylor" and "cosine".
        instances: "image" relates the images of a batch, "grid" the cells of each image.
        grid: rows and columns of cells.
        variant: "paper" or "neighbour".
        reduction: "mean" or "sum" over pairs.
        gather: relate the images of all processes that share a batch.

    Shape:
        student, teacher: (N, D), (N, L, D) or (N, D, H, W), the widths may differ; returns a scalar.

    Reference:
        See :func:`cckd_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> CCKDLoss()(torch.randn(4, 8), torch.randn(4, 16)).shape
        torch.Size([])
    """

    paper = Paper(
        title="Correlation Congruence for Knowledge Distillation",
        authors="B. Peng, X. Jin, J. Liu, D. Li, Y. Wu, Y. Liu, S. Zhou, Z. Zhang",
        venue="ICCV",
        year=2019,
        url="https://arxiv.org/abs/1904.01802",
    )

    def __init__(
        self,
        student_channels: int | None = None,
        embedding: int = 128,
        *,
        dims: int = 2,
        kernel: Kernel = "taylor",
        gamma: float = 0.4,
        order: int = 2,
        normalize: bool | None = None,
        instances: Instances = "image",
        grid: int | tuple[int, int] = 4,
        variant: Variant = "paper",
        reduction: Reduction = "mean",
        gather: bool = True,
    ) -> None:
        super().__init__()
        _check(kernel, gamma, order, instances, variant, reduction)
        self.adapter: nn.Module = nn.Identity()
        if student_channels is not None:
            self.adapter = ChannelAdapter(student_channels, embedding, dims=dims)
        self.settings: dict[str, Any] = {
            "kernel": kernel,
            "gamma": gamma,
            "order": order,
            "normalize": normalize,
            "instances": instances,
            "grid": grid,
            "variant": variant,
            "reduction": reduction,
            "gather": gather,
        }

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return cckd_loss(self.adapter(student), teacher, **self.settings)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())


def _instances(feature: Tensor, instances: Instances, grid: int | tuple[int, int], gather: bool) -> Tensor:
    """(M, D), or (N, M, D) where each image has its own."""
    if instances == "image":
        vectors = image_vectors(feature)
        return gathered(vectors) if gather else vectors
    if feature.dim() != 4:
        raise UsageError(
            f"expected maps (N, C, H, W) to relate the cells of an image, got {tuple(feature.shape)}: "
            "take a layer before any pooling, or instances='image'"
        )
    return F.adaptive_avg_pool2d(precise(feature), grid).flatten(2).mT


def _polynomial(products: Tensor, gamma: float, order: int) -> Tensor:
    """Horner's scheme over the powers of the inner products."""
    factors = [math.exp(-2 * gamma) * (2 * gamma) ** power / math.factorial(power) for power in range(order + 1)]
    value = products * factors[-1] + factors[-2]
    for factor in reversed(factors[:-2]):
        value = value * products + factor
    return value


def _neighbour_loss(ours: Tensor, theirs: Tensor, reduction: Reduction) -> Tensor:
    if ours.shape != theirs.shape:
        raise UsageError(
            f"expected embeddings of one width for variant 'neighbour', got {ours.shape[-1]} and {theirs.shape[-1]}: "
            "give CCKDLoss student_channels and the teacher's width as embedding"
        )
    gap = (ours - theirs).abs()
    products = (gap[..., :-1, :] * gap[..., 1:, :]).sum((-2, -1)).mean()
    return products if reduction == "sum" else products / max(ours.shape[-2] - 1, 1)


def _check(
    kernel: Kernel, gamma: float, order: int, instances: Instances, variant: Variant, reduction: Reduction
) -> None:
    check_choice("kernel", kernel, get_args(Kernel))
    check_choice("instances", instances, get_args(Instances))
    check_choice("variant", variant, get_args(Variant))
    check_choice("reduction", reduction, get_args(Reduction))
    if not gamma > 0 or order < 1:
        raise UsageError(f"expected gamma above zero and order of at least 1, got {gamma} and {order}: pass 0.4 and 2")
