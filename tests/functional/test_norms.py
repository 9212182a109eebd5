"""Norms of an image or a batch: how they relate, what counts, and peace at zero."""

from __future__ import annotations

import math

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional.norms import weighted_norm


def difference(images=3):
    torch.manual_seed(0)
    return torch.randn(images, 2, 4, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("importance", [None, 0.5, [0.5, 0.0, 2.0]])
def test_equals_the_loop_over_images(importance):
    rows = difference()
    each = [math.sqrt(sum(value**2 for value in row.flatten().tolist())) for row in rows]
    counts = importance if isinstance(importance, list) else [1.0 if importance is None else importance] * 3
    ours = weighted_norm(rows, None if importance is None else torch.tensor(importance))
    assert ours.item() == pytest.approx(sum(a * b for a, b in zip(each, counts, strict=True)) / 3)


def test_the_norm_of_the_batch_is_that_of_the_images_where_they_are_equal():
    row = difference(1)
    equal = row.expand(4, -1, -1)
    ours = weighted_norm(equal, reduction="batch_norm")
    torch.testing.assert_close(ours, math.sqrt(4) * weighted_norm(equal))
    rows = difference()
    assert weighted_norm(rows, reduction="batch_norm") > math.sqrt(3) * weighted_norm(rows)
    half = weighted_norm(rows, torch.tensor([0.5]), reduction="batch_norm")
    torch.testing.assert_close(half, weighted_norm(rows, reduction="batch_norm") / 2)


@pytest.mark.parametrize("reduction", ["image_mean", "batch_norm"])
def test_no_gradient_where_nothing_differs(reduction):
    rows = torch.zeros(2, 3, requires_grad=True)
    weighted_norm(rows, reduction=reduction).backward()
    assert not rows.grad.any()
    assert rows.grad.isfinite().all()


def test_half_precision_does_not_overflow():
    rows = torch.full((2, 64, 100), 3e4, dtype=torch.float16)
    assert weighted_norm(rows).item() == pytest.approx(3e4 * 80, rel=1e-3)


def test_importance_is_a_constant():
    importance = torch.ones(3, requires_grad=True)
    weighted_norm(difference(), importance).backward()
    assert importance.grad is None


@pytest.mark.parametrize(
    ("importance", "reduction", "message"),
    [
        (torch.ones(2), "image_mean", r"expected an importance of shape \(\) or \(3,\), got \(2,\)"),
        (torch.ones(3), "batch_norm", "expected one importance for one norm over the batch"),
        (None, "mean", "unknown reduction 'mean'"),
    ],
)
def test_refuses(importance, reduction, message):
    with pytest.raises(UsageError, match=message):
        weighted_norm(difference(), importance, reduction=reduction)
