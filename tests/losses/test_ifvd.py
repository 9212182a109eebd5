"""Intra-class feature variation: the definition pixel by pixel, pixels of no class, and edges."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.losses import IFVDLoss, ifvd_loss

CLASSES = 3


def features(side=4):
    torch.manual_seed(0)
    student = torch.randn(2, 3, side, side, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(2, 5, side, side, dtype=torch.float64)
    target = torch.randint(0, CLASSES, (2, side, side))
    target[0, 0], target[1, 1, 1] = 255, -1
    return student, teacher, target


def variation_by_hand(feature, target):
    """The cosine of every pixel of one image with its class centre; 1 for a pixel of no class."""
    cosines = []
    for y in range(target.shape[0]):
        for x in range(target.shape[1]):
            label, pixel = target[y, x], feature[:, y, x]
            if not 0 <= label < CLASSES:
                cosines.append(torch.tensor(1.0))
                continue
            centre = feature[:, target == label].mean(1)
            cosines.append(pixel @ centre / (pixel.norm() * centre.norm()))
    return torch.stack(cosines)


def test_equals_the_definition():
    student, teacher, target = features()
    squares = [
        (variation_by_hand(ours, labels) - variation_by_hand(theirs, labels)).square()
        for ours, theirs, labels in zip(student.detach(), teacher, target, strict=True)
    ]
    loss = ifvd_loss(student, teacher, target, classes=CLASSES)
    assert loss.item() == pytest.approx(torch.cat(squares).mean().item(), rel=1e-6)
    assert torch.equal(loss, IFVDLoss(classes=CLASSES)(student, teacher, target))


def test_gradient_reaches_pixels_of_a_class_through_the_centres():
    student, teacher, target = features(side=3)
    assert torch.autograd.gradcheck(lambda x: ifvd_loss(x, teacher, target, classes=CLASSES), student)
    ifvd_loss(student, teacher, target, classes=CLASSES).backward()
    assert not student.grad[0, :, 0].any()
    assert student.grad[0, :, 1:].any()


def test_a_large_target_is_resized_and_a_whole_image_without_labels_adds_nothing():
    student, teacher, target = features()
    large = target.repeat_interleave(4, 1).repeat_interleave(4, 2)
    loss = ifvd_loss(student, teacher, target, classes=CLASSES)
    assert torch.equal(ifvd_loss(student, teacher, large, classes=CLASSES), loss)
    assert ifvd_loss(student, teacher, torch.full_like(target, 255), classes=CLASSES) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_zero_vectors_have_finite_gradients(dtype):
    student, teacher, target = features()
    student = student.detach().to(dtype)
    student[:, :, 2] = 0
    student.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ifvd_loss(student, teacher.to(dtype), target, classes=CLASSES)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_mistakes_are_refused():
    student, teacher, target = features()
    with pytest.raises(UsageError, match="one grid"):
        ifvd_loss(student, teacher[..., :2], target, classes=CLASSES)
    with pytest.raises(UsageError, match=r"for 2 images, got \(4, 4\)"):
        ifvd_loss(student, teacher, target[0], classes=CLASSES)
