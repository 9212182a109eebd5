from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.losses import ICSDLoss, icsd_loss, inter_class_similarity
from pupil.losses.icsd import Variant

VARIANTS = get_args(Variant)


def class_maps(image, valid, variant, temperature):
    """One list of probabilities for each class, over the valid positions: of each column, or of the whole image."""
    regions = (
        [(image[:, :, x], valid[:, x]) for x in range(image.shape[2])] if variant == "height" else [(image, valid)]
    )
    maps = [[] for _ in image]
    for region, counts in regions:
        for k, values in enumerate(region):
            kept = values[counts].tolist()
            maps[k] += softmax(kept, temperature) if kept else []
    return maps


def naive_similarity(logits, valid, variant, temperature):
    """The loop over images and pairs of classes that the released code runs, with KL in the textbook variants."""
    classes = range(logits.shape[1])
    total = [[0.0 for _ in classes] for _ in classes]
    images = [(image, counts) for image, counts in zip(logits, valid, strict=True) if counts.any()]
    for image, counts in images:
        maps = class_maps(image, counts, variant, temperature)
        for i in classes:
            for j in classes:
                first, second = min(i, j), max(i, j)
                if variant == "textbook_full":
                    entry = kl(maps[i], maps[j])
                elif variant == "textbook_mirrored":
                    entry = kl(maps[second], maps[first])
                else:
                    entry = sum(b * (math.log(b) - a) for a, b in zip(maps[first], maps[second], strict=True))
                total[i][j] += entry / len(images)
    return total, len(images)


def naive(student, teacher, valid, variant, temperature):
    (ours, images), (theirs, _) = (
        naive_similarity(logits, valid, variant, temperature) for logits in (student.detach(), teacher)
    )
    loss = 0.0
    for row, other in zip(ours, theirs, strict=True):
        lengths = [math.sqrt(sum(each**2 for each in entries)) for entries in (row, other)]
        loss += sum((a / lengths[0] - b / lengths[1]) ** 2 for a, b in zip(row, other, strict=True))
    return loss / len(ours) ** 2 / images


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (1, 7, 4, 2)])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_equals_the_loop_over_pairs_of_classes(variant, shape, temperature):
    student, teacher = pair(*shape)
    valid = torch.ones(shape[0], *shape[2:], dtype=torch.bool)
    theirs, _ = naive_similarity(student.detach(), valid, variant, temperature)
    ours = inter_class_similarity(student, variant=variant, temperature=temperature)
    torch.testing.assert_close(ours, torch.tensor(theirs, dtype=torch.float64))
    loss = icsd_loss(student, teacher, variant=variant, temperature=temperature)
    assert loss.item() == pytest.approx(naive(student, teacher, valid, variant, temperature), rel=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_mask_equals_dropping_the_positions(variant):
    """An image, a column and single positions without a label; the loop never sees them."""
    student, teacher = pair(3, 4, 5, 6)
    valid = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(1)) < 0.7
    valid[1] = False
    valid[:, :, 2] = False
    loss = icsd_loss(student, teacher, valid, variant=variant)
    assert loss.item() == pytest.approx(naive(student, teacher, valid, variant, 1.0), rel=1e-9)
    (gradient,) = torch.autograd.grad(loss, student)
    assert not gradient.movedim(1, -1)[~valid].any()
    assert gradient.movedim(1, -1)[valid].any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_networks_that_agree_cost_nothing(variant):
    student, teacher = pair(2, 5, 4, 4)
    assert icsd_loss(teacher.clone().requires_grad_(), teacher, variant=variant).item() == 0
    uniform = torch.zeros_like(student)
    assert icsd_loss(uniform, uniform + 3, variant=variant).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_student_with_constant_maps_gets_a_calm_gradient(variant, dtype):
    """The first step of a network whose last layer starts at zero."""
    _, teacher = pair(2, 21, 33, 31, dtype=dtype)
    student = torch.zeros_like(teacher).requires_grad_()
    icsd_loss(student, teacher, variant=variant).backward()
    ordinary = pair(2, 21, 33, 31, dtype=dtype)[0]
    icsd_loss(ordinary, teacher, variant=variant).backward()
    assert student.grad.abs().max() <= 10 * ordinary.grad.abs().max()


def test_nearly_constant_maps_keep_their_digits_in_float32():
    _, teacher = pair(1, 21, 65, 65)
    student = 0.01 * pair(1, 21, 65, 65)[0].detach()
    reference = icsd_loss(student, teacher)
    torch.testing.assert_close(icsd_loss(student.float(), teacher.float()).double(), reference, rtol=2e-2, atol=0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient(variant, masked):
    student, teacher = pair(2, 3, 3, 4)
    valid = (torch.arange(24).reshape(2, 3, 4) % 5 != 0) if masked else None
    assert gradcheck(lambda logits: icsd_loss(logits, teacher, valid, variant=variant, temperature=2.0), student)


@pytest.mark.parametrize("shape", [(2, 3, 8), (2, 3, 2, 3, 4)])
def test_any_positions_but_height_needs_an_image(shape):
    student, teacher = pair(*shape)
    flat = icsd_loss(student.flatten(2)[..., None], teacher.flatten(2)[..., None])
    torch.testing.assert_close(icsd_loss(student, teacher), flat)
    with pytest.raises(UsageError, match=r"expected logits \(N, K, H, W\)"):
        icsd_loss(student, teacher, variant="height")


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        ((2, 3, 4, 4), (2, 3, 8, 8), "resample"),
        ((2, 21, 4, 4), (2, 19, 4, 4), "use a teacher with the student's classes"),
        ((2, 2, 4, 4), (2, 2, 4, 4), "K >= 3, .* variant='flat'"),
        ((2, 3, 1, 1), (2, 3, 1, 1), "two positions or more"),
    ],
)
def test_refuses_logits_that_cannot_be_compared(student, teacher, message):
    with pytest.raises(UsageError, match=message):
        icsd_loss(torch.zeros(student), torch.zeros(teacher))


def test_refuses_an_unknown_variant():
    with pytest.raises(UsageError, match=r"unknown variant 'full': did you mean .*textbook_full"):
        ICSDLoss(variant="full")


def test_module_shows_its_settings():
    assert repr(ICSDLoss()) == "ICSDLoss(variant='textbook_full', temperature=1.0)"
