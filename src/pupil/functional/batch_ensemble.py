"""Soft targets of a batch from its own predictions: those of similar images are blended into each other.

Legend: N images of a batch, K classes, A affinity, P softened predictions, Q targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pupil.errors import UsageError
from pupil.functional.checks import check_temperature
from pupil.functional.precision import precise, without_autocast
from pupil.functional.temperature import soften
from pupil.functional.unit_vectors import unit_vectors

# Low enough that an image has no share in itself, and finite, so that an image alone has all of it and not NaN.
NOT_ITSELF = -1e9


def ensembled_targets(features: Tensor, logits: Tensor, *, temperature: float, weight: float) -> Tensor:
    """The softened predictions of a batch after they have been passed on between similar images for ever.

    Q = (1 - weight) (I - weight A)⁻¹ P,  P = softmax(logits / temperature)

    with the affinity A of :func:`batch_affinity`. It is the limit of Q <- weight A Q + (1 - weight) P, and every row is
    a distribution over the classes. An image alone, and a weight of 0, give Q = P.

    Args:
        features: what the images are compared by; they get no gradient.
        logits: class scores; they get no gradient.
        temperature: softens the predictions.
        weight: of the other images against an image's own prediction, in [0, 1).

    Shape:
        features: (N, ...); logits: (N, K); returns (N, K), in float32 or better.

    Raises:
        UsageError: for logits that are not (N, K), another number of features, a temperature <= 0 or a weight
            outside [0, 1).

    Reference:
        Y. Ge et al., "Self-distillation with Batch Knowledge Ensembling Improves ImageNet Classification", 2021, code
        yxgeee/BAKE. Paper and code agree; the code inverts the matrix, where this solves the equations.

    Example:
        >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
        >>> logits = torch.tensor([[4.0, 0.0], [0.0, 0.0], [0.0, 4.0]])
        >>> ensembled_targets(features, logits, temperature=4.0, weight=0.5)
        tensor([[0.6361, 0.3639],
                [0.5559, 0.4441],
                [0.4325, 0.5675]])
    """
    check_weight(weight)
    check_temperature(temperature)
    if logits.dim() != 2 or len(features) != len(logits):
        raise UsageError(
            f"expected logits (N, K) and features of the same N images, got {tuple(logits.shape)} and "
            f"{tuple(features.shape)}: one prediction an image can be ensembled, dense ones cannot"
        )
    probability = soften(logits.detach(), temperature).softmax(dim=1)
    affinity = batch_affinity(features)
    wide = torch.promote_types(affinity.dtype, probability.dtype)
    return propagated(affinity.to(wide), probability.to(wide), weight=weight)


def batch_affinity(features: Tensor) -> Tensor:
    """How much each image takes from each other one: a softmax over the cosines with all images but itself.

    A_ij = exp(cos_ij) / sum over k other than i of exp(cos_ik),  A_ii = 0

    There is no temperature inside, so that two weights of one row differ by e² at most. An image whose features are all
    zero takes from all others equally; the affinity of an image alone is 1.

    Args:
        features: one row an image; they get no gradient.

    Shape:
        features: (N, ...); returns (N, N), in float32 or better; its rows sum to 1.

    Example:
        >>> batch_affinity(torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]))
        tensor([[0.0000, 0.8808, 0.1192],
                [0.8808, 0.0000, 0.1192],
                [0.5000, 0.5000, 0.0000]])
    """
    unit = unit_vectors(precise(features.detach()).flatten(1))
    with without_autocast(unit):
        return (unit @ unit.mT).fill_diagonal_(NOT_ITSELF).softmax(dim=1)


def propagated(affinity: Tensor, values: Tensor, *, weight: float, steps: int | None = None) -> Tensor:
    """Values after they have been passed on along an affinity: Q <- weight A Q + (1 - weight) P, begun with Q = P.

    Args:
        affinity: A, with rows that sum to 1.
        values: P, one row an image.
        weight: of what comes from the others, in [0, 1).
        steps: how often; None passes on for ever, by solving (I - weight A) Q = (1 - weight) P.

    Shape:
        affinity: (N, N); values: (N, K); returns (N, K).

    Raises:
        UsageError: for a weight outside [0, 1).

    Example:
        >>> exchange = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> values = torch.tensor([[1.0], [0.0]])
        >>> [propagated(exchange, values, weight=0.5, steps=steps).flatten().tolist() for steps in (1, 2)]
        [[0.5, 0.5], [0.75, 0.25]]
        >>> propagated(exchange, values, weight=0.5).flatten()
        tensor([0.6667, 0.3333])
    """
    check_weight(weight)
    with without_autocast(values):
        if steps is None:
            system = torch.eye(len(affinity), dtype=affinity.dtype, device=affinity.device) - weight * affinity
            # The diagonal outweighs its row, so no such system is singular; torch.linalg.solve would make a GPU wait
            # to find that out.
            solution: Tensor = torch.linalg.solve_ex(system, (1 - weight) * values).result
            return solution
        passed_on = values
        for _ in range(steps):
            passed_on = weight * (affinity @ passed_on) + (1 - weight) * values
        return passed_on


def check_weight(weight: float) -> None:
    """Refuse an ensembling weight outside [0, 1): at 1 nothing would be left of the predictions."""
    if not 0 <= weight < 1:
        raise UsageError(f"expected an ensembling weight in [0, 1), got {weight}: the published ones are 0.5 and 0.9")
