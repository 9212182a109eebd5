"""Relational distillation: distances and angles as loops over pairs and triples, and edges."""

from __future__ import annotations

import math

import pytest
import torch

from losses.allocations import LargestAllocation
from pupil.errors import UsageError
from pupil.functional import row_chunks
from pupil.losses import RKDLoss, rkd_loss


def features(images=5, dtype=torch.float64):
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(images, 4).double(), torch.randn(images, 3).double()
    # One image of each that is there twice.
    student[1], teacher[3] = student[0], teacher[2]
    return student.to(dtype).requires_grad_(), teacher.to(dtype)


def huber(difference):
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


def naive_distances(rows):
    found = [[math.dist(one, other) for other in rows] for one in rows]
    apart = [value for row in found for value in row if value > 0]
    return [[value / (sum(apart) / len(apart)) for value in row] for row in found]


def naive_angle(first, vertex, second):
    one, other = ([a - b for a, b in zip(point, vertex, strict=True)] for point in (first, second))
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def naive(student, teacher):
    ours, theirs = student.tolist(), teacher.tolist()
    everyone = range(len(ours))
    our_distances, their_distances = naive_distances(ours), naive_distances(theirs)
    pairs = sum(huber(our_distances[i][j] - their_distances[i][j]) for i in everyone for j in everyone)
    triples = sum(
        huber(naive_angle(ours[i], ours[j], ours[k]) - naive_angle(theirs[i], theirs[j], theirs[k]))
        for i in everyone
        for j in everyone
        for k in everyone
    )
    return pairs / len(ours) ** 2, triples / len(ours) ** 3


def test_equals_the_loops_over_pairs_and_triples():
    student, teacher = features()
    distance, angle = naive(student, teacher)
    assert rkd_loss(student, teacher, angle=0.0).item() == pytest.approx(distance, rel=1e-12)
    assert rkd_loss(student, teacher, distance=0.0, angle=1.0).item() == pytest.approx(angle, rel=1e-12)
    assert rkd_loss(student, teacher).item() == pytest.approx(distance + 2 * angle, rel=1e-12)


def angles_by_differences(rows):
    units = torch.nn.functional.normalize(rows.unsqueeze(0) - rows.unsqueeze(1), dim=2)
    return units @ units.mT


def test_gradient_of_angles_is_that_of_the_differences():
    student, teacher = features()
    [gradient] = torch.autograd.grad(rkd_loss(student, teacher, distance=0.0, angle=1.0), student)
    theirs = angles_by_differences(teacher)
    [expected] = torch.autograd.grad(
        torch.nn.functional.smooth_l1_loss(angles_by_differences(student), theirs), student
    )
    # The two that coincide have no direction to each other, and only there the differences find one of size 1e12.
    torch.testing.assert_close(gradient[2:], expected[2:])
    assert gradient.isfinite().all()


def test_gradient():
    torch.manual_seed(0)
    student, teacher = torch.randn(5, 4).double().requires_grad_(), torch.randn(5, 3).double()
    assert torch.autograd.gradcheck(lambda x: rkd_loss(x, teacher), student)


def test_scale_and_place_do_not_matter():
    student, _ = features()
    moved = 1e-3 * student.detach() + 7
    assert rkd_loss(moved, student) < 1e-12


def test_groups_of_near_images_keep_their_angles_in_float32():
    torch.manual_seed(0)
    student, teacher = 5 + torch.randn(4, 1, 8).double(), torch.randn(16, 8).double()
    student = (student + 1e-3 * torch.randn(4, 4, 8).double()).flatten(0, 1).float().double()
    exact, rounded = student.clone().requires_grad_(), student.float().requires_grad_()
    expected, found = rkd_loss(exact, teacher), rkd_loss(rounded, teacher.float())
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=0)
    expected.backward()
    found.backward()
    scale = exact.grad.abs().max()
    torch.testing.assert_close(rounded.grad.double() / scale, exact.grad / scale, rtol=0, atol=1e-3)


def test_one_place_for_all_images_has_a_finite_gradient():
    student = torch.ones(4, 3, requires_grad=True)
    loss = rkd_loss(student, torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    loss.backward()
    assert loss > 0
    assert student.grad.isfinite().all()


def test_two_images_have_nothing_to_compare():
    student, teacher = torch.randn(2, 2, 3).requires_grad_()
    assert rkd_loss(student, teacher) < 1e-12


def test_many_images_are_compared_in_chunks(monkeypatch):
    student, teacher = features(images=12)
    whole = rkd_loss(student, teacher)
    [expected] = torch.autograd.grad(whole, student)
    monkeypatch.setattr(row_chunks, "MOST_ELEMENTS", 500)
    with LargestAllocation() as largest:
        parts = rkd_loss(student, teacher)
        [gradient] = torch.autograd.grad(parts, student)
    assert largest.elements <= 500
    torch.testing.assert_close((parts, gradient), (whole, expected))


def test_no_tensor_holds_the_differences():
    torch.manual_seed(0)
    student, teacher = torch.randn(10, 300, requires_grad=True), torch.randn(10, 300)
    with LargestAllocation() as largest:
        rkd_loss(student, teacher).backward()
    assert largest.elements <= 10 * 300


def test_the_module_passes_its_settings_on():
    student, teacher = features()
    assert torch.equal(RKDLoss(distance=3.0)(student, teacher), rkd_loss(student, teacher, distance=3.0))
    assert "distance=1.0, angle=2.0" in repr(RKDLoss())


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="expected features of the same images, got 5 and 4"):
        rkd_loss(torch.zeros(5, 3), torch.zeros(4, 3))
    for settings in ({"distance": 0.0, "angle": 0.0}, {"distance": -1.0}):
        with pytest.raises(UsageError, match="expected a weight of distances or angles above zero"):
            RKDLoss(**settings)
