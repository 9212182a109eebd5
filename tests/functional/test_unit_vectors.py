"""Unit vectors agree with normalize, except that a zero vector is left in peace."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from pupil.functional.unit_vectors import unit_vectors


def test_agrees_with_normalize_in_value_and_gradient():
    torch.manual_seed(0)
    tensor = torch.randn(3, 5, 7, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 5, 7, dtype=torch.float64)
    for dim in (0, 1, 2):
        ours, theirs = unit_vectors(tensor, dim), F.normalize(tensor, dim=dim)
        torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=1e-15)
        gradients = [torch.autograd.grad((each * weight).sum(), tensor)[0] for each in (ours, theirs)]
        torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)


def test_zero_vector_gets_no_gradient():
    tensor = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    unit_vectors(tensor).sum().backward()
    assert tensor.grad[0].any()
    assert not tensor.grad[1].any()


def test_gradient_returns_in_the_type_that_came():
    tensor = torch.randn(3, 100, requires_grad=True)
    unit = unit_vectors(tensor, dtype=torch.float64)
    unit[:, 0].sum().backward()
    assert unit.dtype == torch.float64
    assert tensor.grad.dtype == torch.float32
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(3, dtype=torch.float64), rtol=1e-15, atol=0)


def test_input_is_left_alone():
    tensor = torch.full((2, 4), 2.0)
    assert unit_vectors(tensor).max() == 0.5
    assert tensor.min() == 2
