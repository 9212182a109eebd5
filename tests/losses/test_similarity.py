"""Similarity-preserving distillation: the equations written out, and edges. No golden values exist for it."""

from __future__ import annotations

import math

import pytest
import torch

from pupil.errors import UsageError
from pupil.losses import SimilarityLoss, similarity_loss


def features(images=4):
    torch.manual_seed(0)
    student = torch.randn(images, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    return student, torch.randn(images, 5, 3, 1, dtype=torch.float64)


def similarities_by_hand(feature):
    """Equations 2 and 3 of the paper, image by image."""
    rows = [image.flatten().tolist() for image in feature]
    matrix = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in rows] for one in rows]
    return [[value / math.hypot(*row) for value in row] for row in matrix]


def test_equals_the_definition():
    student, teacher = features()
    pairs = zip(similarities_by_hand(student), similarities_by_hand(teacher), strict=True)
    expected = sum((a - b) ** 2 for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True)) / 4**2
    assert similarity_loss(student, teacher).item() == pytest.approx(expected, rel=1e-12)
    assert torch.equal(SimilarityLoss()(student, teacher), similarity_loss(student, teacher))


def test_gradient():
    student, teacher = features()
    assert torch.autograd.gradcheck(lambda x: similarity_loss(x, teacher), student)


def test_a_silent_image_has_a_finite_gradient():
    student, teacher = features()
    with torch.no_grad():
        student[1] = 0
    loss = similarity_loss(student, teacher)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()
    assert student.grad[0].any()


def test_one_image_has_nothing_to_compare():
    student, teacher = features(images=1)
    loss = similarity_loss(student, teacher)
    loss.backward()
    assert loss == 0
    assert student.grad.abs().max() < 1e-12


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="same images"):
        similarity_loss(torch.zeros(2, 3), torch.zeros(4, 3))
    with pytest.raises(UsageError, match="same images"):
        similarity_loss(torch.zeros(3), torch.zeros(3))
