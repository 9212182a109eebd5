"""Double similarity distillation (DSD): how attention moves between stages, and how classes share positions.

Legend: N images, C channels, H x W positions, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.functional.checks import check_same_grid, check_same_shape, check_temperature
from pupil.functional.precision import precise, without_autocast
from pupil.functional.temperature import soften
from pupil.functional.unit_vectors import unit_vectors
from pupil.paper import Paper

PAPER = Paper(
    title="Double Similarity Distillation for Semantic Image Segmentation",
    authors="Y. Feng, X. Sun, W. Diao, J. Li, X. Gao",
    venue="IEEE Transactions on Image Processing",
    year=2021,
    url="https://arxiv.org/abs/2107.08591",
)


def psd_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Compare how attention moves from stage to stage (pixel-wise similarity distillation).

    a(m) = unit(flatten(mean over channels of f(m)²)),  r(m, n) = unit(a(m) - a(n)) for stages n < m;
    L = mean over pairs of stages, images and positions of (r(student) - r(teacher))².

    Args:
        student: features of the student at two stages or more, on one grid.
        teacher: features of the teacher at as many stages, on the same grid; its channels may differ.

    Shape:
        student: M x (N, C, H, W); teacher: M x (N, C', H, W); returns a scalar.

    Raises:
        UsageError: for one tensor in place of the stages, fewer than two stages, different numbers of stages, or maps
            on different grids.

    Reference:
        Y. Feng et al., "Double Similarity Distillation for Semantic Image Segmentation", TIP 2021. The authors released
        no code; the values agree with winycg/CIRKD, whose stages are two features and the logits, weighted 1000.

    Example:
        >>> import torch
        >>> stages = [torch.randn(2, channels, 6, 6) for channels in (8, 4, 3)]
        >>> psd_loss([3 * stage for stage in stages], stages) < 1e-6
        tensor(True)
    """
    for stages in (student, teacher):
        # Stacked stages have five axes; with four, the images would pass for stages.
        if getattr(stages, "ndim", 5) < 5:
            raise UsageError("expected a sequence of stages' features, got one tensor: pass [feature1, feature2, ...]")
    if len(student) < 2 or len(student) != len(teacher):
        raise UsageError(
            f"expected two stages or more of both networks, got {len(student)} and {len(teacher)}: "
            "pass a list of features of each"
        )
    for stage in (*student, *teacher):
        check_same_grid(stage, student[0])
    difference = _movements(student) - _movements([stage.detach() for stage in teacher])
    return difference.square().mean()


def _movements(stages: Sequence[Tensor]) -> Tensor:
    energies = torch.stack([precise(stage).square().mean(1).flatten(1) for stage in stages])
    attention = unit_vectors(energies, dim=2)
    earlier, later = torch.triu_indices(len(stages), len(stages), offset=1, device=attention.device)
    return unit_vectors(attention[later] - attention[earlier], dim=2)


def csd_loss(student: Tensor, teacher: Tensor, *, temperature: float = 4.0) -> Tensor:
    """Compare which classes light up at the same positions (category-wise similarity distillation).

    p(k) = softmax over positions of the logits of class k, pooled 2 x 2, / temperature;  A = P P^T, (K, K);
    L = mean over images and class pairs of (A(student) - A(teacher))².

    Args:
        student: logits of the student.
        teacher: logits of the teacher.
        temperature: softens the distributions.

    Shape:
        student, teacher: (N, K, H, W); returns a scalar, of the order 1e-7, as P P^T falls with the positions.

    Raises:
        UsageError: for maps on different grids, different classes, or a temperature that is not positive.

    Reference:
        As :func:`psd_loss`; CIRKD weights it 10, whatever the number of positions.

    Example:
        >>> import torch
        >>> logits = torch.randn(2, 5, 8, 8)
        >>> csd_loss(logits + 7, logits) < 1e-12
        tensor(True)
    """
    check_same_grid(student, teacher)
    check_same_shape(student, teacher, channels_fix="use a teacher with the student's classes")
    check_temperature(temperature)
    with without_autocast(student):
        difference = _overlaps(student, temperature) - _overlaps(teacher.detach(), temperature)
        return difference.square().mean()


def _overlaps(logits: Tensor, temperature: float) -> Tensor:
    pooled = F.avg_pool2d(precise(logits), 2, ceil_mode=True).flatten(2)
    positions = soften(pooled, temperature).softmax(2)
    return positions @ positions.mT


class PSDLoss(nn.Module):
    """Pixel-wise similarity distillation as a module: :func:`psd_loss`, which has no settings.

    Shape:
        student: M x (N, C, H, W); teacher: M x (N, C', H, W); returns a scalar.

    Reference:
        See :func:`psd_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> PSDLoss()(torch.randn(3, 2, 8, 6, 6), torch.randn(3, 2, 16, 6, 6)).shape
        torch.Size([])
    """

    paper = PAPER

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        return psd_loss(student, teacher)


class CSDLoss(nn.Module):
    """Category-wise similarity distillation as a module: :func:`csd_loss` with its settings stored.

    Args:
        temperature: softens the distributions over positions.

    Shape:
        student, teacher: (N, K, H, W); returns a scalar.

    Reference:
        See :func:`csd_loss` and the attribute ``paper``.

    Example:
        >>> import torch
        >>> CSDLoss()(torch.randn(2, 5, 8, 8), torch.randn(2, 5, 8, 8)).shape
        torch.Size([])
    """

    paper = PAPER

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return csd_loss(student, teacher, temperature=self.temperature)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}"
