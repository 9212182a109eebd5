"""Pair-wise distillation against the values and gradients of the authors' code."""

from __future__ import annotations

import pytest
import torch

from golden.reader import assert_gradient, assert_value, golden, leaf
from pupil.losses.pairwise import pairwise_loss

GOLDEN = golden("structkd_pair")
VARIANTS = {
    "master": {"pool": "max", "norm_gradient": False},
    "cvpr_raw": {"patch": 1},
    "cvpr_softmax": {"patch": 1, "affinity": "softmax"},
    "cvpr_sigmoid": {"patch": 1, "affinity": "sigmoid"},
    "pool2x2": {"pool": "max", "patch": 2},
    "paper_avg2": {},
}
RUNS = [
    (run["case"], run["variant"])
    for run in GOLDEN.matches(r"(?P<case>[^_]+)_(?P<variant>\w+)_loss_f64")
    if run["case"] not in ("zero", "same")
]


def options(case: str, variant: str) -> dict:
    patch = {"patch": GOLDEN.cases[case]["scale"]} if variant == "master" else {}
    return VARIANTS[variant] | patch


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "variant"), RUNS)
def test_value_and_gradient(case, variant, dtype, precise):
    student = leaf(GOLDEN[f"{case}_student_feat"], dtype)
    teacher = GOLDEN[f"{case}_teacher_feat"].to(dtype)
    loss = pairwise_loss(student, teacher, **options(case, variant), precise=precise)
    loss.backward()
    assert_value(loss, GOLDEN[f"{case}_{variant}_loss_{'f64' if dtype == torch.float64 else 'f32'}"])
    assert_gradient(student.grad, GOLDEN[f"{case}_{variant}_grad_f64"])
    reference = GOLDEN[f"{case}_{variant}_loss_f64"]
    assert abs(loss.item() - reference.item()) <= 1e-7


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_zero_vector_has_the_authors_value_and_a_calm_gradient(dtype):
    student = leaf(GOLDEN["zero_student_feat"], dtype)
    loss = pairwise_loss(student, GOLDEN["zero_teacher_feat"].to(dtype), pool="max", patch=1, norm_gradient=False)
    loss.backward()
    assert_value(loss, GOLDEN[f"zero_master_loss_{'f64' if dtype == torch.float64 else 'f32'}"])
    zero = (student == 0).all(1, keepdim=True).expand_as(student)
    theirs = GOLDEN["zero_master_grad_f64"]
    assert zero.any()
    assert not student.grad[zero].any()
    assert theirs[zero].abs().max() > 1e3 * theirs[~zero].abs().max()
    assert_gradient(student.grad[~zero], theirs[~zero])


def test_where_the_conference_code_gives_nan_the_loss_is_finite():
    student = leaf(GOLDEN["zero_student_feat"], torch.float64)
    loss = pairwise_loss(student, GOLDEN["zero_teacher_feat"].double(), patch=1)
    loss.backward()
    for name in ("loss_f32", "loss_f64", "grad_f64"):
        assert GOLDEN[f"zero_cvpr_raw_{name}"].isnan().any()
    assert loss.isfinite()
    assert student.grad.isfinite().all()
    assert student.grad.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equal_features_have_no_distance_and_no_gradient(dtype):
    student = leaf(GOLDEN["zero_teacher_feat"], dtype)
    loss = pairwise_loss(student, student, pool="max", patch=1, norm_gradient=False)
    loss.backward()
    assert_value(loss, GOLDEN[f"same_master_loss_{'f64' if dtype == torch.float64 else 'f32'}"])
    assert torch.equal(student.grad, GOLDEN["same_master_grad_f64"].to(dtype))


def test_every_array_was_read():
    assert GOLDEN.unread() == set()
