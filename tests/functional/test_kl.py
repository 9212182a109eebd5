from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import kl, softmax
from pupil.functional.kl import kl_divergence, pairwise_kl


def logits(*shape, dtype=torch.float64, scale=2.0):
    torch.manual_seed(0)
    return [(scale * each).to(dtype) for each in torch.randn(2, *shape, dtype=torch.float64)]


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_equals_the_loop_along_any_dimension(dim):
    student, teacher = logits(3, 4, 5)
    ours = kl_divergence(student, teacher, dim=dim, temperature=2.0)
    rows = (each.movedim(dim, -1).reshape(-1, each.shape[dim]).tolist() for each in (teacher, student))
    theirs = [kl(softmax(p, 2.0), softmax(q, 2.0)) for p, q in zip(*rows, strict=True)]
    torch.testing.assert_close(ours.flatten(), torch.tensor(theirs, dtype=torch.float64))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_gradient(temperature):
    student, teacher = logits(2, 3, 4)
    student.requires_grad_()
    assert gradcheck(lambda each: kl_divergence(each, teacher, dim=1, temperature=temperature), student)
    assert gradcheck(pairwise_kl, student)


def test_leaves_its_inputs_alone():
    student, teacher = logits(2, 3, 4)
    before = student.clone(), teacher.clone()
    for temperature in (1.0, 2.0):
        kl_divergence(student.requires_grad_(), teacher, dim=1, temperature=temperature).sum().backward()
    pairwise_kl(student).sum().backward()
    torch.testing.assert_close((student.detach(), teacher), before, rtol=0, atol=0)


def test_keeps_one_tensor_for_the_backward_pass():
    student, teacher = logits(2, 3, 4)
    kept = []

    def keep(tensor):
        kept.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        kl_divergence(student.requires_grad_(), teacher, dim=1)
    assert kept == [student.shape]


def test_twice_backward_through_one_graph_gives_the_same():
    student, teacher = logits(2, 3, 4)
    divergence = kl_divergence(student.requires_grad_(), teacher, dim=1).sum()
    first, second = (torch.autograd.grad(divergence, student, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("divergence", [lambda each: kl_divergence(each, each + 1, dim=1), pairwise_kl])
def test_a_second_derivative_is_refused_and_never_wrong(divergence):
    student, _ = logits(2, 3, 4)
    (first,) = torch.autograd.grad(divergence(student.requires_grad_()).square().sum(), student, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_every_pair_of_maps_by_the_loop():
    maps, _ = logits(2, 4, 6)
    ours = pairwise_kl(maps)
    for image, matrix in zip(maps.tolist(), ours, strict=True):
        p = [softmax(each) for each in image]
        theirs = torch.tensor([[kl(a, b) for b in p] for a in p], dtype=torch.float64)
        torch.testing.assert_close(matrix, theirs)
        assert not matrix.diagonal().any()


@pytest.mark.parametrize("scale", [1e-2, 1.0])
def test_maps_that_almost_agree_keep_their_digits_in_float32(scale):
    """Their entropies of log X nats are up to 1e5 times larger than what tells them apart."""
    maps, _ = logits(1, 8, 16384, scale=scale)
    reference = pairwise_kl(maps)
    error = (pairwise_kl(maps.float()).double() - reference).abs().max()
    assert error <= 0.02 * reference.max()


def test_autocast_leaves_the_gradient_in_float32():
    maps, weight = logits(2, 4, 6, dtype=torch.float32)
    plain, mixed = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    (pairwise_kl(plain) * weight[:, :, :4]).sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (pairwise_kl(mixed) * weight[:, :, :4]).sum().backward()
    torch.testing.assert_close(plain.grad, mixed.grad, rtol=0, atol=0)
