"""Adaptive loss weighting against the totals and gradients of the authors' trainer, epoch by epoch."""

from __future__ import annotations

import pytest
import torch

from golden.reader import assert_gradient, assert_value, golden, leaf, suffix
from pupil.lesson import Activations, Lesson
from pupil.losses import icsd_loss, kd_loss
from pupil.schedules import adaptive
from pupil.tasks.segmentation_loss import SegmentationLoss

GOLDEN = golden("alw")
(CASE,) = GOLDEN.cases.values()
EPOCHS = range(len(GOLDEN["epochs"]))


def components(student):
    """The three losses as the authors weigh them; their cross-entropy is divided by the batch size again."""
    teacher, labels = GOLDEN["teacher_logits"].to(student.dtype), GOLDEN["labels"]
    temperature, variant = CASE["temperature"], CASE["icsd_variant"].split()[0]
    task = SegmentationLoss(CASE["C"], ignore_index=CASE["ignore_index"])(student, labels) / len(student)
    pixel = kd_loss(student, teacher, temperature=temperature, reduction="element") / temperature**2
    icsd = icsd_loss(student, teacher, variant=variant, temperature=temperature)
    return task, CASE["pi_lambda"] * pixel, CASE["lo_lambda"] * icsd


def lesson(epoch):
    progress = int(GOLDEN["epochs"][epoch]) / CASE["alpha_denominator"]
    return Lesson(None, None, Activations(None), progress=progress)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_components(dtype):
    ours = torch.stack(components(GOLDEN["student_logits"].to(dtype)))
    assert_value(ours, GOLDEN[f"components_{suffix(dtype)}"])
    assert_value(ours.sum(), GOLDEN[f"constant_total_{suffix(dtype)}"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("epoch", EPOCHS)
def test_total_and_gradient(epoch, dtype):
    student = leaf(GOLDEN["student_logits"], dtype)
    task, pixel, icsd = components(student)
    labels, teacher = adaptive()(lesson(epoch)), adaptive(of="teacher")(lesson(epoch))
    total = labels * (task + icsd) + teacher * pixel
    total.backward()
    assert labels == pytest.approx(float(GOLDEN["alpha"][epoch]), rel=1e-12)
    assert_value(total, GOLDEN[f"total_{suffix(dtype)}"][epoch])
    assert_gradient(student.grad, GOLDEN["grad_f64"][epoch])


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
