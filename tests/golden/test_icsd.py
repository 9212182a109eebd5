"""ICSD and the channel Gram term against the values, gradients and matrices of the authors' code."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from golden.reader import assert_gradient, assert_value, golden, leaf, suffix
from pupil.losses import channel_similarity_loss, icsd_loss, inter_class_similarity
from pupil.losses.icsd import Variant

GOLDEN = golden("icsd")
RUNS = [tuple(run.values()) for run in GOLDEN.matches(r"(?P<case>[^_]+)_(?P<variant>.+)_loss_f64")]
SIMILARITIES = [
    tuple(run.values()) for run in GOLDEN.matches(r"(?P<case>[^_]+)_(?P<variant>\w+)_ics_(?P<who>student|teacher)")
]


def test_every_variant_has_a_case():
    assert {variant for _, variant in RUNS} == {*get_args(Variant), "ic"}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("case", "variant"), RUNS)
def test_value_and_gradient(case, variant, dtype):
    settings = GOLDEN.cases[case]
    student = leaf(GOLDEN[f"{case}_student_logits"], dtype)
    teacher = GOLDEN[f"{case}_teacher_logits"].to(dtype)
    if variant == "ic":
        loss = channel_similarity_loss(student, teacher)
    else:
        loss = icsd_loss(student, teacher, variant=variant, temperature=settings["temperature"])
    loss = loss * settings["lambda_"]
    loss.backward()
    assert_value(loss, GOLDEN[f"{case}_{variant}_loss_{suffix(dtype)}"])
    assert_gradient(student.grad, GOLDEN[f"{case}_{variant}_grad_f64"])
    in_this_type = f"{case}_{variant}_grad_{suffix(dtype)}"
    if in_this_type in GOLDEN:
        assert_gradient(student.grad, GOLDEN[in_this_type])


@pytest.mark.parametrize(("case", "variant", "who"), SIMILARITIES)
def test_similarity_matrix(case, variant, who):
    logits = GOLDEN[f"{case}_{who}_logits"].double()
    ours = inter_class_similarity(logits, variant=variant, temperature=GOLDEN.cases[case]["temperature"])
    torch.testing.assert_close(ours, GOLDEN[f"{case}_{variant}_ics_{who}"], rtol=1e-9, atol=1e-12)


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
