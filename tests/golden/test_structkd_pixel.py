"""Pixel-wise distillation and the task loss against StructKD, TorchDistiller and CIRKD."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from golden.reader import assert_gradient, assert_value, golden, leaf, number, suffix
from pupil.losses import kd_loss
from pupil.tasks.segmentation_loss import SegmentationLoss

GOLDEN = golden("structkd_pixel")
RUNS = [
    (run["case"], run["variant"])
    for run in GOLDEN.matches(r"(?P<case>[^_]+)_(?P<variant>.+)_loss_f64")
    if run["variant"] != "task"
]


def released_loss(variant, student, teacher):
    """What a released code base computes, by `kd_loss` and the factor that its docstring names."""
    kind, _, setting = variant.partition("_")
    if kind == "master":
        probability = teacher.softmax(1)
        entropy = -(probability * probability.log()).sum(1)
        return len(student) * (kd_loss(student, teacher) + entropy.mean())
    if setting.startswith("up"):
        scale = number(setting.removeprefix("up"))
        student, teacher = (
            F.interpolate(logits, scale_factor=scale, mode="bilinear", align_corners=True)
            for logits in (student, teacher)
        )
    temperature = number(setting.removeprefix("T")) if setting.startswith("T") else 1.0
    if kind == "klmean":
        return kd_loss(student, teacher, temperature=temperature, reduction="element") / temperature**2
    assert kind == "batchmean"
    return kd_loss(student, teacher, temperature=temperature)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "variant"), RUNS)
def test_value_and_gradient(case, variant, dtype):
    student = leaf(GOLDEN[f"{case}_student_logits"], dtype)
    loss = released_loss(variant, student, GOLDEN[f"{case}_teacher_logits"].to(dtype))
    loss.backward()
    assert_value(loss, GOLDEN[f"{case}_{variant}_loss_{suffix(dtype)}"])
    assert_gradient(student.grad, GOLDEN[f"{case}_{variant}_grad_f64"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", GOLDEN.cases)
def test_task_loss(case, dtype):
    settings = GOLDEN.cases[case]
    logits, auxiliary = (leaf(GOLDEN[f"{case}_{name}_logits"], dtype) for name in ("student", "aux"))
    labels = GOLDEN[f"{case}_labels"]
    # The released code resizes with aligned corners; ours finds logits of the labels' size then, and leaves them alone.
    objective = SegmentationLoss(
        settings["C"], ignore_index=settings["ignore_index"], auxiliary_weight=settings["aux_weight"]
    )
    resize = partial(F.interpolate, size=labels.shape[1:], mode="bilinear", align_corners=True)
    loss = objective(resize(logits), labels, resize(auxiliary))
    loss.backward()
    assert_value(loss, GOLDEN[f"{case}_task_loss_{suffix(dtype)}"])
    assert_gradient(logits.grad, GOLDEN[f"{case}_task_grad0_f64"])
    assert_gradient(auxiliary.grad, GOLDEN[f"{case}_task_grad1_f64"])


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
