"""The three forms of the distance between affinity matrices, and the choice between them."""

from __future__ import annotations

import pytest
import torch

from pupil.functional.affinity import (
    affinity_distance,
    cheapest_form,
    difference_form,
    direct_form,
    gram_form,
)

FORMS = [direct_form, gram_form, difference_form]


def matrices(own=7, other=7, positions=20, dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(3, own, positions, dtype=dtype), torch.randn(3, other, positions, dtype=dtype)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("positions", [1, 5, 20])
def test_every_form_gives_the_distance_and_its_gradient(form, positions):
    student, teacher = matrices(positions=positions)
    student.requires_grad_()
    expected = (student.mT @ student - teacher.mT @ teacher).square().sum()
    value, gradient = form(student.detach(), teacher)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient(), torch.autograd.grad(expected, student)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("other", [300, 128, 129])
def test_gram_form_takes_any_number_of_channels(other):
    student, teacher = matrices(own=5, other=other, positions=9)
    value, gradient = gram_form(student, teacher)
    expected, expected_gradient = direct_form(student, teacher)
    torch.testing.assert_close(value, expected, rtol=1e-11, atol=0)
    torch.testing.assert_close(gradient(), expected_gradient(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("own", "other", "positions", "form"),
    [
        (128, 512, 4225, gram_form),
        (128, 512, 400, direct_form),
        (128, 128, 4225, difference_form),
        (128, 128, 192, direct_form),
        (128, 128, 193, difference_form),
    ],
)
def test_the_form_with_fewer_multiplications_is_taken(own, other, positions, form):
    student, teacher = (torch.empty(1, channels, positions, device="meta") for channels in (own, other))
    assert cheapest_form(student, teacher) is form


@pytest.mark.parametrize("form", FORMS)
def test_equal_matrices_have_distance_zero(form):
    student, _ = matrices(dtype=torch.float32)
    value, gradient = form(student, student.clone())
    assert value == 0
    assert gradient().abs().max() < 1e-3


def test_weight_of_the_loss_reaches_the_gradient():
    student, teacher = matrices()
    student.requires_grad_()
    (once,) = torch.autograd.grad(affinity_distance(student, teacher), student)
    (thrice,) = torch.autograd.grad(3 * affinity_distance(student, teacher), student)
    torch.testing.assert_close(thrice, 3 * once)
