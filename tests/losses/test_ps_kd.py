from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from losses.naive import pair, softmax
from pupil.errors import UsageError
from pupil.losses import kd_loss, ps_kd_loss


def naive(student, past, target, trust):
    """A loop over images and classes."""
    values = []
    for logits, before, label in zip(student.tolist(), past.tolist(), target.tolist(), strict=True):
        if label == -100:
            continue
        soft = [(1 - trust) * (k == label) + trust * p for k, p in enumerate(softmax(before))]
        values.append(-sum(p * math.log(q) for p, q in zip(soft, softmax(logits), strict=True)))
    return sum(values) / len(values)


@pytest.mark.parametrize("trust", [0.0, 0.3, 0.8, 1.0])
def test_equals_the_loop_over_images(trust):
    student, past = pair(6, 5)
    target = torch.tensor([0, 4, 2, -100, 2, 1])
    loss = ps_kd_loss(student, past, target, trust)
    assert loss.item() == pytest.approx(naive(student, past, target, trust), rel=1e-9)


def test_is_the_cross_entropy_and_the_divergence_but_for_a_constant():
    student, past = pair(4, 5, 3, 2)
    target = torch.randint(0, 5, (4, 3, 2), generator=torch.Generator().manual_seed(0))
    both = 0.6 * F.cross_entropy(student, target) + 0.4 * kd_loss(student, past)
    gradients = [torch.autograd.grad(each, student)[0] for each in (ps_kd_loss(student, past, target, 0.4), both)]
    torch.testing.assert_close(*gradients)


def test_without_trust_it_is_the_cross_entropy_also_of_mixed_labels():
    student, past = pair(4, 5)
    mixed = torch.rand(4, 5, dtype=torch.float64).softmax(1)
    for target in (torch.tensor([0, 4, -100, 1]), mixed):
        torch.testing.assert_close(ps_kd_loss(student, past, target, 0.0), F.cross_entropy(student, target))


def test_gradient():
    student, past = pair(3, 4)
    assert gradcheck(lambda logits: ps_kd_loss(logits, past, torch.tensor([0, 3, 1]), 0.4), student)


def test_refuses_settings_that_mean_nothing():
    student, target = torch.zeros(2, 4), torch.tensor([0, 1])
    for trust in (-0.1, 1.1):
        with pytest.raises(UsageError, match=r"expected a trust in \[0, 1\]"):
            ps_kd_loss(student, student, target, trust)
    with pytest.raises(UsageError, match="take the past of this very student"):
        ps_kd_loss(student, torch.zeros(2, 5), target, 0.4)
