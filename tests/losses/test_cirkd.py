"""Cross-image relations: the definition pixel by pixel, chunks of rows, the memory's formula, and edges."""

from __future__ import annotations

import math

import pytest
import torch

from losses.allocations import LargestAllocation
from pupil.errors import UsageError
from pupil.functional import row_chunks
from pupil.losses import CIRKDLoss, cirkd_loss, cirkd_memory_loss


def features(channels=3, teacher_channels=4, images=2, side=3):
    torch.manual_seed(0)
    student = torch.randn(images, channels, side, side, dtype=torch.float64, requires_grad=True)
    return student, torch.randn(images, teacher_channels, side, side, dtype=torch.float64)


def unit_pixels(feature):
    """The pixels of each image as lists of numbers, of length one."""
    images = [[column.tolist() for column in image.flatten(1).T] for image in feature]
    return [[[value / math.hypot(*pixel) for value in pixel] for pixel in image] for image in images]


def softmax(pixel, others, temperature):
    exponentials = [math.exp(sum(a * b for a, b in zip(pixel, other, strict=True)) / temperature) for other in others]
    return [value / sum(exponentials) for value in exponentials]


def divergence(ours, theirs):
    return sum(t * math.log(t / s) for s, t in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_equals_the_definition(temperature):
    student, teacher = features()
    own, other = unit_pixels(student), unit_pixels(teacher)
    divergences = [
        divergence(
            softmax(own[i][x], own[j], temperature),
            softmax(other[i][x], other[j], temperature),
        )
        for i in range(2)
        for j in range(2)
        for x in range(9)
    ]
    loss = cirkd_loss(student, teacher, temperature=temperature)
    assert loss.item() == pytest.approx(sum(divergences) / len(divergences), rel=1e-10)
    assert torch.equal(loss, CIRKDLoss(temperature=temperature)(student, teacher))


def test_memory_equals_the_definition():
    student, teacher = features(teacher_channels=3)
    memory = torch.nn.functional.normalize(torch.randn(7, 3, dtype=torch.float64))
    own, other = ([pixel for image in unit_pixels(feature) for pixel in image] for feature in (student, teacher))
    divergences = [
        divergence(*(softmax(pixel, memory.tolist(), 0.1) for pixel in (ours, theirs)))
        for ours, theirs in zip(own, other, strict=True)
    ]
    loss = cirkd_memory_loss(student, teacher, memory)
    assert loss.item() == pytest.approx(sum(divergences) / len(divergences), rel=1e-10)


def test_gradient():
    student, teacher = features(teacher_channels=3, side=2)
    memory = torch.nn.functional.normalize(torch.randn(5, 3, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cirkd_loss(x, teacher), student)
    assert torch.autograd.gradcheck(lambda x: cirkd_memory_loss(x, teacher, memory), student)
    teacher.requires_grad_()
    (cirkd_loss(student, teacher) + cirkd_memory_loss(student, teacher, memory)).backward()
    assert student.grad.any()
    assert teacher.grad is None
    assert memory.grad is None


def test_rows_in_chunks_give_the_same_value_and_gradient_in_less_memory(monkeypatch):
    results = []
    for most in (10**9, 1000):
        monkeypatch.setattr(row_chunks, "MOST_ELEMENTS", most)
        student, teacher = features(side=8)
        with LargestAllocation() as largest:
            loss = cirkd_loss(student, teacher)
            loss.backward()
        results.append((loss, student.grad, largest.elements))
    (whole, whole_gradient, whole_size), (chunked, chunked_gradient, chunked_size) = results
    torch.testing.assert_close(chunked, whole)
    torch.testing.assert_close(chunked_gradient, whole_gradient)
    assert whole_size == 128 * 128
    assert chunked_size <= 1000


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_zero_vectors_and_half_types_have_finite_gradients(dtype):
    student, teacher = features(teacher_channels=3)
    student = student.detach().to(dtype)
    student[:, :, 1] = 0
    student.requires_grad_()
    memory = torch.eye(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = cirkd_loss(student, teacher.to(dtype)), cirkd_memory_loss(student, teacher.to(dtype), memory)
    assert torch.equal(losses[0], cirkd_loss(student.float(), teacher.to(dtype).float()))
    sum(losses).backward()
    assert student.grad.isfinite().all()
    assert not student.grad[:, :, 1].any()


def test_one_position_has_nothing_to_compare():
    assert cirkd_loss(*features(side=1)) == 0


def test_mistakes_are_refused():
    student, teacher = features()
    with pytest.raises(UsageError, match="one grid"):
        cirkd_loss(student, teacher[..., :2])
    with pytest.raises(UsageError, match="memory's 3 channels"):
        cirkd_memory_loss(student, teacher, torch.eye(3))
    with pytest.raises(UsageError, match="temperature"):
        CIRKDLoss(temperature=0.0)
