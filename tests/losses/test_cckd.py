"""Correlation congruence: the definition as loops over pairs, instances, and edges."""

from __future__ import annotations

import math

import pytest
import torch

from losses.allocations import LargestAllocation
from pupil.errors import UsageError
from pupil.losses import CCKDLoss, cckd_loss
from pupil.losses.cckd import correlation


def features(images=5, student=3, teacher=4):
    torch.manual_seed(0)
    return torch.randn(images, student).double().requires_grad_(), torch.randn(images, teacher).double()


def unit(vector):
    return [value / math.hypot(*vector) for value in vector]


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def taylor(one, other, gamma=0.4, order=2):
    inner = dot(unit(one), unit(other))
    return sum(
        math.exp(-2 * gamma) * (2 * gamma) ** power / math.factorial(power) * inner**power for power in range(order + 1)
    )


KERNELS = {
    "taylor": taylor,
    "rbf": lambda one, other: math.exp(-0.4 * math.dist(one, other) ** 2),
    "bilinear": dot,
    "cosine": lambda one, other: dot(unit(one), unit(other)),
    "mmd": lambda one, other: abs(sum(one) / len(one) - sum(other) / len(other)),
}


def naive(student, teacher, kernel):
    ours, theirs = student.tolist(), teacher.tolist()
    pairs = [(i, j) for i in range(len(ours)) for j in range(len(ours))]
    return sum((kernel(ours[i], ours[j]) - kernel(theirs[i], theirs[j])) ** 2 for i, j in pairs)


@pytest.mark.parametrize("kernel", KERNELS)
def test_equals_the_loop_over_pairs(kernel):
    student, teacher = features()
    expected = naive(student, teacher, KERNELS[kernel])
    assert cckd_loss(student, teacher, kernel=kernel).item() == pytest.approx(expected / 25, rel=1e-12)
    assert cckd_loss(student, teacher, kernel=kernel, reduction="sum").item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_any_order(order):
    student, teacher = features()
    expected = naive(student, teacher, lambda one, other: taylor(one, other, 0.7, order)) / 25
    assert cckd_loss(student, teacher, gamma=0.7, order=order).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_gradient(kernel, normalize):
    student, teacher = features()
    assert torch.autograd.gradcheck(lambda x: cckd_loss(x, teacher, kernel=kernel, normalize=normalize), student)


def test_neighbours_by_hand():
    student, teacher = features(student=4)
    gaps = (student - teacher).abs().tolist()
    expected = sum(dot(gaps[i], gaps[i + 1]) for i in range(4))
    assert cckd_loss(student, teacher, variant="neighbour").item() == pytest.approx(expected / 4, rel=1e-12)
    summed = cckd_loss(student, teacher, variant="neighbour", reduction="sum")
    assert summed.item() == pytest.approx(expected, rel=1e-12)
    assert cckd_loss(student[:1], teacher[:1], variant="neighbour") == 0


def test_maps_and_tokens_are_averaged_before_images_are_related():
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 3, 5, 2), torch.randn(4, 6, 7)
    expected = cckd_loss(student.mean((2, 3)), teacher.mean(1))
    torch.testing.assert_close(cckd_loss(student, teacher), expected)


def test_cells_are_related_within_each_image():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 6), torch.randn(2, 5, 8, 6)
    cells = [
        [image.unfold(1, height, height).unfold(2, 2, 2).mean((3, 4)).flatten(1).mT for image in maps]
        for maps, height in ((student, 2), (teacher, 4))
    ]
    expected = sum(cckd_loss(ours, theirs) for ours, theirs in zip(*cells, strict=True)) / 2
    torch.testing.assert_close(cckd_loss(student, teacher, instances="grid", grid=(2, 3)), expected)
    summed = cckd_loss(student, teacher, instances="grid", grid=(2, 3), reduction="sum")
    torch.testing.assert_close(summed, 36 * expected)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_silent_image_and_one_that_is_there_twice_have_finite_gradients(kernel):
    student, teacher = features()
    with torch.no_grad():
        student[1], student[2] = 0, student[3]
    cckd_loss(student, teacher, kernel=kernel).backward()
    assert student.grad.isfinite().all()
    assert student.grad.any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_tensor_holds_the_differences_of_pairs(kernel):
    student, teacher = features(images=20, student=50, teacher=50)
    with LargestAllocation() as largest:
        cckd_loss(student, teacher, kernel=kernel).backward()
    assert largest.elements <= 20 * 50


def test_an_embedding_is_the_students_and_is_trained():
    torch.manual_seed(0)
    loss, student, teacher = CCKDLoss(3, 4, variant="neighbour"), torch.randn(5, 3), torch.randn(5, 4)
    [weight] = loss.parameters()
    assert weight.shape == (4, 3)
    loss(student, teacher).backward()
    assert weight.grad.any()
    torch.testing.assert_close(loss(student, teacher), cckd_loss(student @ weight.mT, teacher, variant="neighbour"))
    maps = CCKDLoss(3, 4, dims=4)(torch.randn(5, 3, 2, 2), torch.randn(5, 8))
    assert maps.isfinite()
    assert list(CCKDLoss().parameters()) == []


def test_the_module_passes_every_setting_on():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 6), torch.randn(2, 5, 4, 6)
    settings = {"kernel": "rbf", "gamma": 0.1, "normalize": True, "instances": "grid", "grid": 2, "reduction": "sum"}
    assert torch.equal(CCKDLoss(**settings)(student, teacher), cckd_loss(student, teacher, **settings))
    assert "kernel='rbf', gamma=0.1, order=2, normalize=True, instances='grid', grid=2" in repr(CCKDLoss(**settings))


def test_products_stay_in_float32_under_autocast():
    embedding = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = correlation(embedding)
    torch.testing.assert_close(found, correlation(embedding), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": "gauss"}, "unknown kernel 'gauss'"),
        ({"variant": "neighbours"}, "unknown variant 'neighbours': did you mean neighbour"),
        ({"instances": "cell"}, "unknown instances 'cell'"),
        ({"reduction": "batch"}, "unknown reduction 'batch'"),
        ({"gamma": 0.0}, "expected gamma above zero and order of at least 1, got 0.0 and 2"),
        ({"order": 0}, "expected gamma above zero and order of at least 1, got 0.4 and 0"),
        ({"instances": "grid"}, r"expected maps \(N, C, H, W\) to relate the cells of an image, got \(5, 3\)"),
        ({"variant": "neighbour"}, "expected embeddings of one width for variant 'neighbour', got 3 and 4"),
    ],
)
def test_mistakes_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        cckd_loss(*features(), **settings)


def test_features_of_other_images_are_refused():
    with pytest.raises(UsageError, match="expected features of the same images, got 5 and 4"):
        cckd_loss(torch.zeros(5, 3), torch.zeros(4, 3))
