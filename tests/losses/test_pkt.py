"""Probabilistic knowledge transfer: the paper and the authors' code as loops over pairs, and edges."""

from __future__ import annotations

import math

import pytest
import torch

from losses.naive import kl
from pupil.errors import UsageError
from pupil.losses import PKTLoss, pkt_loss


def features(images=5):
    torch.manual_seed(0)
    return torch.randn(images, 4).double().requires_grad_(), torch.randn(images, 3).double()


def naive_neighbours(rows, i, with_itself):
    kernels = [
        (1 + sum(a * b for a, b in zip(rows[i], other, strict=True)) / (math.hypot(*rows[i]) * math.hypot(*other))) / 2
        for j, other in enumerate(rows)
        if with_itself or j != i
    ]
    return [kernel / sum(kernels) for kernel in kernels]


def test_the_paper_as_loops():
    student, teacher = features()
    ours, theirs = student.tolist(), teacher.tolist()
    rows = [kl(naive_neighbours(theirs, i, False), naive_neighbours(ours, i, False)) for i in range(5)]
    assert pkt_loss(student, teacher).item() == pytest.approx(sum(rows) / 5, rel=1e-12)


def test_the_code_as_loops():
    student, teacher = features()
    ours, theirs = student.tolist(), teacher.tolist()
    terms = [
        p * math.log((p + 1e-7) / (q + 1e-7))
        for i in range(5)
        for p, q in zip(naive_neighbours(theirs, i, True), naive_neighbours(ours, i, True), strict=True)
    ]
    assert pkt_loss(student, teacher, variant="code").item() == pytest.approx(sum(terms) / 25, rel=1e-12)


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_gradient(variant):
    student, teacher = features()
    assert torch.autograd.gradcheck(lambda x: pkt_loss(x, teacher, variant=variant), student)


@pytest.mark.parametrize("variant", ["paper", "code"])
def test_opposite_equal_and_silent_images_stay_finite(variant):
    _, teacher = features()
    student = torch.tensor([[1.0, 2.0], [-1.0, -2.0], [1.0, 2.0], [0.0, 0.0], [3.0, -1.0]], requires_grad=True)
    loss = pkt_loss(student, teacher.float(), variant=variant)
    loss.backward()
    assert loss.isfinite()
    assert loss > 0
    assert student.grad.isfinite().all()


def test_two_images_have_nothing_to_compare():
    student, teacher = features(images=2)
    loss = pkt_loss(student, teacher)
    loss.backward()
    assert loss == 0
    assert student.grad.abs().max() < 1e-12
    assert pkt_loss(torch.ones(1, 3), torch.ones(1, 3)) == 0
    opposite = torch.tensor([[1.0], [-1.0]])
    assert pkt_loss(opposite, opposite) == 0


def test_maps_are_averaged_and_the_module_passes_its_settings_on():
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 3, 5, 2), torch.randn(4, 6)
    expected = pkt_loss(student.mean((2, 3)), teacher, variant="code")
    torch.testing.assert_close(PKTLoss(variant="code")(student, teacher), expected)
    assert "variant='paper'" in repr(PKTLoss())


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="expected features of the same images, got 5 and 4"):
        pkt_loss(torch.zeros(5, 3), torch.zeros(4, 3))
    with pytest.raises(UsageError, match="unknown variant 'codes': did you mean code"):
        PKTLoss(variant="codes")
