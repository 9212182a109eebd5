"""The targets of a batch ensemble: the sums written out, the limit of many steps, and edges."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.naive import softmax
from pupil.errors import UsageError
from pupil.functional.batch_ensemble import batch_affinity, ensembled_targets, propagated

SETTINGS = {"temperature": 3.0, "weight": 0.7}


def batch(images: int = 5, classes: int = 4, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    features = torch.randn(images, 6, generator=random, dtype=torch.float64)
    return features.to(dtype), 3 * torch.randn(images, classes, generator=random, dtype=torch.float64).to(dtype)


def affinity_by_hand(features: Tensor) -> list[list[float]]:
    rows = features.tolist()
    matrix = []
    for i, one in enumerate(rows):
        cosines = {
            j: sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))
            for j, other in enumerate(rows)
            if j != i
        }
        total = sum(math.exp(cosine) for cosine in cosines.values())
        matrix.append([math.exp(cosines[j]) / total if j in cosines else 0.0 for j in range(len(rows))])
    return matrix


def targets_by_hand(features: Tensor, logits: Tensor, temperature: float, weight: float) -> list[list[float]]:
    """Passed on a thousand times, from image to image and class by class."""
    affinity = affinity_by_hand(features)
    own = [softmax(row, temperature) for row in logits.tolist()]
    images, classes = range(len(own)), range(len(own[0]))
    targets = own
    for _ in range(1000):
        targets = [
            [weight * sum(affinity[i][j] * targets[j][k] for j in images) + (1 - weight) * own[i][k] for k in classes]
            for i in images
        ]
    return targets


def test_equals_the_definition() -> None:
    features, logits = batch()
    torch.testing.assert_close(batch_affinity(features), torch.tensor(affinity_by_hand(features)).double())
    expected = torch.tensor(targets_by_hand(features, logits, **SETTINGS), dtype=torch.float64)
    torch.testing.assert_close(ensembled_targets(features, logits, **SETTINGS), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.9, 0.999])
def test_every_row_is_a_distribution(weight: float) -> None:
    features, logits = batch(images=64, classes=9)
    targets = ensembled_targets(features, 30 * logits, temperature=1.0, weight=weight)
    assert targets.min() >= 0
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(64).double(), rtol=0, atol=1e-11)


def test_steps_approach_the_limit_as_the_powers_of_the_weight() -> None:
    features, logits = batch()
    affinity, values = batch_affinity(features), logits.softmax(dim=1)
    limit = propagated(affinity, values, weight=0.5)
    assert torch.equal(propagated(affinity, values, weight=0.5, steps=0), values)
    for steps in (1, 4, 16):
        distance = (propagated(affinity, values, weight=0.5, steps=steps) - limit).abs().max()
        assert 0 < distance <= 0.5**steps


def test_an_image_alone_and_a_weight_of_zero_keep_the_predictions() -> None:
    features, logits = batch()
    own = (logits / 3.0).softmax(dim=1)
    torch.testing.assert_close(ensembled_targets(features, logits, temperature=3.0, weight=0.0), own)
    torch.testing.assert_close(ensembled_targets(features[:1], logits[:1], **SETTINGS), own[:1])


def test_two_images_weigh_each_other_alike() -> None:
    """(I - wA)⁻¹ of an exchange, by hand."""
    features, logits = batch(images=2)
    own = (logits / 3.0).softmax(dim=1)
    expected = (own + 0.7 * own.flip(0)) / 1.7
    torch.testing.assert_close(ensembled_targets(features, logits, **SETTINGS), expected)


def test_an_image_without_features_takes_from_all_others_equally() -> None:
    features, _ = batch()
    features[2] = 0
    affinity = batch_affinity(features)
    torch.testing.assert_close(affinity[2], torch.tensor([0.25, 0.25, 0.0, 0.25, 0.25]).double())
    assert affinity.isfinite().all()


def test_maps_are_compared_as_vectors_and_lengths_are_no_matter() -> None:
    features, logits = batch()
    expected = ensembled_targets(features, logits, **SETTINGS)
    lengths = torch.arange(1.0, 6.0).double()[:, None]
    torch.testing.assert_close(ensembled_targets(lengths * features, logits, **SETTINGS), expected)
    assert torch.equal(ensembled_targets(features.view(5, 3, 2, 1), logits, **SETTINGS), expected)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_are_left_for_float32(half: torch.dtype) -> None:
    features, logits = (each.to(half) for each in batch(images=32))
    expected = ensembled_targets(features.double(), logits.double(), **SETTINGS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        targets = ensembled_targets(features, logits, **SETTINGS)
        affinity = batch_affinity(features.float())
        by_steps = propagated(affinity, logits.float().softmax(dim=1), weight=0.5, steps=2)
    assert targets.dtype == affinity.dtype == by_steps.dtype == torch.float32
    torch.testing.assert_close(targets.double(), expected, rtol=1e-4, atol=1e-6)
    # Features and logits of two types meet in the better one.
    assert ensembled_targets(features, logits.double(), **SETTINGS).dtype == torch.float64


def test_nothing_flows_back() -> None:
    features, logits = (each.requires_grad_() for each in batch())
    assert not ensembled_targets(features, logits, **SETTINGS).requires_grad
    assert not batch_affinity(features).requires_grad


@pytest.mark.parametrize(
    ("features", "logits", "settings", "message"),
    [
        ((2, 3), (2, 4, 8, 8), {}, r"expected logits \(N, K\) .*got \(2, 4, 8, 8\) and \(2, 3\): one prediction an"),
        ((3, 3), (2, 4), {}, r"got \(2, 4\) and \(3, 3\)"),
        ((2, 3), (2, 4), {"weight": 1.0}, r"expected an ensembling weight in \[0, 1\), got 1.0"),
        ((2, 3), (2, 4), {"weight": -0.1}, r"got -0.1"),
        ((2, 3), (2, 4), {"temperature": 0.0}, r"expected a temperature above zero, got 0.0"),
    ],
)
def test_mistakes_are_refused(features: tuple, logits: tuple, settings: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ensembled_targets(torch.zeros(features), torch.zeros(logits), **SETTINGS | settings)
    if "weight" in settings:
        with pytest.raises(UsageError, match=message):
            propagated(torch.eye(2), torch.eye(2), weight=settings["weight"], steps=1)
