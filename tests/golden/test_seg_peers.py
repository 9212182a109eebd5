"""The losses that segmentation users compare with, against the values and gradients of winycg/CIRKD."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from golden.reader import assert_gradient, assert_value, golden, leaf, number
from pupil.losses.attention import attention_loss
from pupil.losses.cirkd import cirkd_loss, cirkd_memory_loss
from pupil.losses.dsd import csd_loss, psd_loss
from pupil.losses.hint import HintLoss
from pupil.losses.ifvd import ifvd_loss

pytestmark = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])

GOLDEN = golden("seg_peers")
(CASE,) = GOLDEN.cases.values()
"""Each file of this form holds one case."""


def read(name: str, dtype: torch.dtype) -> Tensor:
    return GOLDEN[name].to(dtype)


def check(name: str, loss: Tensor, *students: Tensor) -> None:
    loss.backward()
    assert_value(loss, GOLDEN[f"{name}_loss_{'f64' if loss.dtype == torch.float64 else 'f32'}"])
    suffixes = [""] if len(students) == 1 else range(len(students))
    for suffix, student in zip(suffixes, students, strict=True):
        assert_gradient(student.grad, GOLDEN[f"{name}_grad{suffix}_f64"])


def test_attention(dtype):
    student = leaf(GOLDEN["student_feat"], dtype)
    check("at", attention_loss(student, read("teacher_feat", dtype), variant="code"), student)


def test_hint(dtype):
    weight = read("fitnet_weight", dtype)
    loss = HintLoss(weight.shape[1], weight.shape[0]).to(dtype)
    loss.adapter.projection.weight.data = weight
    student = leaf(GOLDEN["student_feat"], dtype)
    check("fitnet", loss(student, read("teacher_feat", dtype)), student)


def test_ifvd(dtype):
    student = leaf(GOLDEN["student_feat"], dtype)
    loss = ifvd_loss(student, read("teacher_feat", dtype), GOLDEN["labels"], classes=CASE["classes"])
    check("ifvd", loss, student)


def test_dsd_between_stages(dtype):
    names = ("feat", "feat2", "logits")
    students = [leaf(GOLDEN[f"student_{name}"], dtype) for name in names]
    check("dsd_psd", psd_loss(students, [read(f"teacher_{name}", dtype) for name in names]), *students)


def test_dsd_between_classes(dtype):
    student = leaf(GOLDEN["student_logits"], dtype)
    check("dsd_csd", csd_loss(student, read("teacher_logits", dtype)), student)


@pytest.mark.parametrize(
    "temperature", [run["number"] for run in GOLDEN.matches(r"cirkd_minibatch_T(?P<number>[\d.]+)_loss_f64")]
)
def test_cirkd_within_the_batch(dtype, temperature):
    student = leaf(GOLDEN["student_feat"], dtype)
    loss = cirkd_loss(student, read("teacher_feat", dtype), temperature=number(temperature))
    check(f"cirkd_minibatch_T{temperature}", loss, student)


def test_cirkd_with_a_memory(dtype):
    student = leaf(GOLDEN["student_feat"], dtype)
    loss = cirkd_memory_loss(student, read("teacher_feat", dtype), read("queue", dtype))
    check("cirkd_memory_core", loss, student)


def test_every_array_was_read(dtype):
    assert GOLDEN.unread() == set()
