"""Channel-wise distillation against TorchDistiller and CIRKD."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from golden.reader import assert_gradient, assert_value, golden, leaf, number, suffix
from pupil.losses import CWDLoss, cwd_loss
from pupil.losses.cwd import Variant

GOLDEN = golden("cwd")
PROJECTED = [
    (run["case"], run["temperature"])
    for run in GOLDEN.matches(r"(?P<case>[^_]+)_cirkd_T(?P<temperature>[\d.]+)_loss_f64")
]
RUNS = [
    (run["case"], run["variant"], run["temperature"])
    for run in GOLDEN.matches(
        rf"(?P<case>[^_]+)_(?P<variant>{'|'.join(get_args(Variant))})(_T(?P<temperature>[\d.]+))?_loss_f64"
    )
]
EXTREME = [
    (run["case"], run["temperature"]) for run in GOLDEN.matches(r"(?P<case>[^_]+)_stable_T(?P<temperature>[\d.]+)_f64")
]


def test_every_variant_has_a_case():
    assert {variant for _, variant, _ in RUNS} == set(get_args(Variant))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "variant", "temperature"), RUNS)
def test_value_and_gradient(case, variant, temperature, dtype):
    student = leaf(GOLDEN[f"{case}_student"], dtype)
    teacher = GOLDEN[f"{case}_teacher"].to(dtype)
    settings = {"temperature": number(temperature)} if temperature else {}
    loss = cwd_loss(student, teacher, variant=variant, **settings)
    loss.backward()
    name = f"{case}_{variant}_T{temperature}" if temperature else f"{case}_{variant}"
    assert_value(loss, GOLDEN[f"{name}_loss_{suffix(dtype)}"])
    assert_gradient(student.grad, GOLDEN[f"{name}_grad_f64"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "temperature"), PROJECTED)
def test_projected_student(case, temperature, dtype):
    """CIRKD divides by the channels before the projection, hence the factor."""
    sizes = GOLDEN.cases[case]
    module = CWDLoss(sizes["Cs"], sizes["Ct"], temperature=number(temperature)).to(dtype)
    (weight,) = module.parameters()
    weight.data.copy_(GOLDEN[f"{case}_weight"])
    student = leaf(GOLDEN[f"{case}_student"], dtype)
    loss = module(student, GOLDEN[f"{case}_teacher"].to(dtype)) * (sizes["Ct"] / sizes["Cs"])
    loss.backward()
    name = f"{case}_cirkd_T{temperature}"
    assert_value(loss, GOLDEN[f"{name}_loss_{suffix(dtype)}"])
    assert_gradient(student.grad, GOLDEN[f"{name}_grad_f64"])
    assert_gradient(weight.grad, GOLDEN[f"{case}_grad_weight_f64"])


@pytest.mark.parametrize(("case", "temperature"), EXTREME)
def test_large_logits_stay_finite_where_the_authors_code_overflows(case, temperature):
    assert not GOLDEN[f"{case}_reference_T{temperature}_f32"].isfinite()
    for dtype in (torch.float64, torch.float32):
        student = leaf(GOLDEN[f"{case}_student"], dtype)
        loss = cwd_loss(student, GOLDEN[f"{case}_teacher"].to(dtype), temperature=number(temperature))
        loss.backward()
        assert_value(loss, GOLDEN[f"{case}_stable_T{temperature}_f64"])
        assert student.grad.isfinite().all()


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
