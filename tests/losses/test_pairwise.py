"""Pair-wise distillation: the formula written out, the choice of form, precision, memory and edges."""

from __future__ import annotations

import math

import pytest
import torch

from losses.allocations import LargestAllocation
from pupil.errors import UsageError
from pupil.functional import row_chunks
from pupil.losses import PairwiseLoss, pairwise_loss

AFFINITIES = ["cosine", "softmax", "sigmoid"]


def features(seed=0, shape=(2, 3, 5, 4), teacher_channels=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(shape, generator=generator, dtype=dtype)
    teacher = torch.randn((shape[0], teacher_channels, *shape[2:]), generator=generator, dtype=dtype)
    return student.requires_grad_(), teacher


def rotated(channels, teacher_channels, noise, side=20, dtype=torch.float32):
    """A teacher that holds the student's feature in other axes, and a student with a little noise on it."""
    torch.manual_seed(1)
    feature = torch.randn(1, channels, side, side, dtype=dtype)
    axes = torch.linalg.qr(torch.randn(teacher_channels, channels, dtype=dtype))[0]
    student = feature + noise * torch.randn_like(feature)
    return student.requires_grad_(), torch.einsum("dc,nchw->ndhw", axes, feature)


def by_hand(student, teacher, pool, patch, affinity):
    """The definition, a loop over images and pairs of nodes, on Python numbers."""
    total, count = 0.0, 0
    for image in range(len(student)):
        matrices = [affinities(feature[image].tolist(), pool, patch, affinity) for feature in (student, teacher)]
        for ours, theirs in zip(*matrices, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                total, count = total + (a - b) ** 2, count + 1
    return total / count


def affinities(feature, pool, patch, affinity):
    merge = max if pool == "max" else lambda values: sum(values) / len(values)
    height, width = len(feature[0]), len(feature[0][0])
    nodes = [
        [
            merge([row[x] for row in channel[top : top + patch] for x in range(left, min(left + patch, width))])
            for channel in feature
        ]
        for top in range(0, height, patch)
        for left in range(0, width, patch)
    ]
    units = [[value / math.hypot(*node) for value in node] for node in nodes]
    rows = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in units] for a in units]
    if affinity == "sigmoid":
        return [[1 / (1 + math.exp(-value)) for value in row] for row in rows]
    if affinity == "softmax":
        return [[math.exp(value) / sum(map(math.exp, row)) for value in row] for row in rows]
    return rows


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize(("pool", "patch"), [("average", 1), ("average", 2), ("max", 2), ("average", 3)])
def test_equals_the_definition(pool, patch, affinity):
    student, teacher = features()
    loss = pairwise_loss(student, teacher, pool=pool, patch=patch, affinity=affinity)
    assert loss.item() == pytest.approx(by_hand(student, teacher, pool, patch, affinity), rel=1e-12)


def test_default_is_the_paper():
    student, teacher = features()
    assert pairwise_loss(student, teacher).item() == pytest.approx(by_hand(student, teacher, "average", 2, "cosine"))


def test_a_share_of_the_map_is_a_patch_of_that_many_positions():
    student, teacher = features(shape=(1, 3, 8, 8))
    loss = pairwise_loss(student, teacher, patch=0.25)
    assert torch.equal(loss, pairwise_loss(student, teacher, patch=2))


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("teacher_channels", [2, 5])
@pytest.mark.parametrize("side", [2, 5])
def test_gradient(side, teacher_channels, affinity):
    student, teacher = features(shape=(2, 2, side, side), teacher_channels=teacher_channels)
    assert torch.autograd.gradcheck(lambda x: pairwise_loss(x, teacher, patch=1, affinity=affinity), student)


def test_constant_norm_has_the_same_value_and_a_radial_gradient():
    student, teacher = features()
    constant = pairwise_loss(student, teacher, norm_gradient=False, patch=1)
    assert constant.item() == pytest.approx(pairwise_loss(student, teacher, patch=1).item(), rel=1e-6)
    (radial,) = torch.autograd.grad(constant, student)
    (tangential,) = torch.autograd.grad(pairwise_loss(student, teacher, patch=1), student)
    assert (tangential * student).sum(1).abs().max() < 1e-12
    assert (radial * student).sum(1).abs().max() > 1e-3


def test_float32_keeps_its_bounds():
    """The bounds that the project promises: value within 1e-7, gradient within 1e-3."""
    for noise in (1.0, 1e-1, 1e-2, 1e-3):
        student, teacher = rotated(8, 24, noise)
        exact = student.detach().double().requires_grad_()
        loss, reference = (pairwise_loss(x, teacher.to(x.dtype), patch=1) for x in (student, exact))
        (ours,), (theirs,) = torch.autograd.grad(loss, student), torch.autograd.grad(reference, exact)
        assert abs(loss.double() - reference) <= 1e-7
        assert (ours - theirs).norm() <= 1e-3 * theirs.norm()


@pytest.mark.parametrize("teacher_channels", [24, 8])
def test_precise_keeps_every_digit_where_student_and_teacher_almost_agree(teacher_channels):
    student, teacher = rotated(8, teacher_channels, 1e-4)
    loss = pairwise_loss(student, teacher, patch=1, precise=True)
    exact = student.detach().double().requires_grad_()
    reference = pairwise_loss(exact, teacher.double(), patch=1)
    (ours,), (theirs,) = torch.autograd.grad(loss, student), torch.autograd.grad(reference, exact)
    assert reference < 1e-8
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(reference.item(), rel=1e-6)
    assert (ours - theirs).norm() <= 1e-6 * theirs.norm()


def test_a_student_that_agrees_channel_by_channel_needs_no_more_than_float32():
    student, _ = rotated(8, 8, 0.0)
    teacher = student.detach() + 1e-4 * torch.randn(student.shape)
    loss = pairwise_loss(student, teacher, patch=1)
    reference = pairwise_loss(student.double(), teacher.double(), patch=1)
    assert reference < 1e-8
    assert loss.item() == pytest.approx(reference.item(), rel=1e-4)


@pytest.mark.parametrize("teacher_channels", [24, 8])
def test_the_value_stays_positive_where_float32_has_lost_it(teacher_channels):
    loss = pairwise_loss(*rotated(8, teacher_channels, 0.0), patch=1)
    assert 0 <= loss < 1e-7


@pytest.mark.parametrize("affinity", AFFINITIES)
@pytest.mark.parametrize("norm_gradient", [True, False])
def test_zero_vectors_have_no_direction_and_no_gradient(affinity, norm_gradient):
    student, teacher = features()
    with torch.no_grad():
        student[:, :, 1, 2] = 0
        teacher[0, :, 0, 0] = 0
    loss = pairwise_loss(student, teacher, patch=1, affinity=affinity, norm_gradient=norm_gradient)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()
    assert not student.grad[:, :, 1, 2].any()
    assert student.grad[:, :, 1, 1].all()


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 1)])
@pytest.mark.parametrize("patch", [0.1, 1, 2, 7])
def test_tiny_maps(size, patch):
    student, teacher = features(shape=(2, 3, *size))
    loss = pairwise_loss(student, teacher, patch=patch)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_no_matrix_of_positions_is_built_where_channels_are_few():
    student, teacher = features(shape=(1, 4, 32, 32), teacher_channels=6)
    with LargestAllocation() as largest:
        pairwise_loss(student, teacher, patch=1).backward()
    assert largest.elements == teacher.numel()


def test_no_matrix_of_channels_is_built_where_positions_are_few():
    student, teacher = features(shape=(2, 64, 3, 3), teacher_channels=96)
    with LargestAllocation() as largest:
        pairwise_loss(student, teacher, patch=1).backward()
    assert largest.elements == teacher.numel()


@pytest.mark.parametrize("affinity", ["softmax", "sigmoid"])
def test_rows_in_chunks_give_the_same_value_and_gradient_in_less_memory(affinity, monkeypatch):
    results = []
    for most in (10**9, 2000):
        monkeypatch.setattr(row_chunks, "MOST_ELEMENTS", most)
        student, teacher = features(shape=(2, 2, 10, 10))
        with LargestAllocation() as largest:
            loss = pairwise_loss(student, teacher, patch=1, affinity=affinity)
            loss.backward()
        results.append((loss, student.grad, largest.elements))
    (whole, whole_gradient, whole_size), (chunked, chunked_gradient, chunked_size) = results
    torch.testing.assert_close(chunked, whole)
    torch.testing.assert_close(chunked_gradient, whole_gradient)
    assert (whole_size, chunked_size) == (2 * 100 * 100, 2000)


def test_module_delegates_with_its_settings():
    student, teacher = features()
    settings = {"pool": "max", "patch": 0.5, "affinity": "sigmoid", "norm_gradient": False, "precise": True}
    loss = PairwiseLoss(**settings)
    assert torch.equal(loss(student, teacher), pairwise_loss(student, teacher, **settings))
    assert repr(loss) == ("PairwiseLoss(pool='max', patch=0.5, affinity='sigmoid', norm_gradient=False, precise=True)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "mean"}, "unknown pool 'mean'"),
        ({"affinity": "cosinus"}, "did you mean cosine"),
        ({"patch": 0}, "got 0: pass 1, 2"),
        ({"patch": 1.5}, "got 1.5"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        PairwiseLoss(**options)
    with pytest.raises(UsageError, match=message):
        pairwise_loss(*features(), **options)


def test_different_grids_are_refused():
    with pytest.raises(UsageError, match=r"one grid .* \(1, 3, 4, 4\) and \(1, 3, 8, 8\): resample"):
        pairwise_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8))
    with pytest.raises(UsageError, match="same batch"):
        pairwise_loss(torch.zeros(1, 3, 4, 4), torch.zeros(2, 3, 4, 4))
    with pytest.raises(UsageError, match="maps"):
        pairwise_loss(torch.zeros(1, 3, 4), torch.zeros(1, 3, 4))
