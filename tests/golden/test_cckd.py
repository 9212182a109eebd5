"""Correlation congruence against values computed from the paper's formulas, and against public code where it agrees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from golden.reader import assert_gradient, assert_value, golden, leaf
from pupil.losses import cckd_loss, kd_loss
from pupil.losses.cckd import correlation

GOLDEN = golden("cckd")
NUMBERS = GOLDEN.record["hyperparameters"]
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
# kernel, "_raw" or "_norm" where the embeddings' length is not what is usual for it, order.
METRICS = GOLDEN.matches(r"loss_cc__(?P<name>(?P<kernel>[a-z]+)(_(?P<length>raw|norm))?(_p(?P<order>\d+))?)")
KERNELS = {"kernel_s": "feat_s", "kernel_t": "feat_t"}


def settings(metric: dict[str, str]) -> dict[str, Any]:
    length = {"raw": False, "norm": True, None: None}[metric["length"]]
    order = {"order": int(metric["order"])} if metric["order"] else {}
    return {"kernel": metric["kernel"], "gamma": NUMBERS["gamma"], "normalize": length, **order}


every_metric = pytest.mark.parametrize("metric", METRICS, ids=[metric["name"] for metric in METRICS])


@every_metric
@pytest.mark.parametrize(("matrix", "feature"), KERNELS.items())
def test_kernel(metric, matrix, feature):
    assert_value(correlation(GOLDEN[feature], **settings(metric)), GOLDEN[f"{matrix}__{metric['name']}"])


@DTYPES
@every_metric
def test_value_and_gradient(metric, dtype):
    student = leaf(GOLDEN["feat_s"], dtype)
    loss = cckd_loss(student, GOLDEN["feat_t"].to(dtype), **settings(metric))
    loss.backward()
    assert_value(loss, GOLDEN[f"loss_cc__{metric['name']}"])
    assert_gradient(student.grad, GOLDEN[f"grad_feat_s__{metric['name']}"])


def test_the_polynomial_approaches_the_radial_kernel():
    radial = correlation(GOLDEN["feat_t"], kernel="rbf", gamma=NUMBERS["gamma"], normalize=True)
    for order, error in enumerate(GOLDEN["taylor_max_error"], start=1):
        assert_value((correlation(GOLDEN["feat_t"], gamma=NUMBERS["gamma"], order=order) - radial).abs().max(), error)


@DTYPES
def test_neighbour_form(dtype):
    student = leaf(GOLDEN["feat_s_same"], dtype)
    loss = cckd_loss(student, GOLDEN["feat_t"].to(dtype), variant="neighbour")
    loss.backward()
    assert_value(loss, GOLDEN["loss_neighbour"])
    assert_gradient(student.grad, GOLDEN["grad_feat_s_same__neighbour"])


@DTYPES
def test_the_whole_objective(dtype):
    logits, feature = leaf(GOLDEN["logits_s"], dtype), leaf(GOLDEN["feat_s"], dtype)
    teacher, alpha = GOLDEN["logits_t"].to(dtype), NUMBERS["alpha"]
    labels = F.cross_entropy(logits, GOLDEN["labels"])
    softened = kd_loss(logits, teacher, temperature=NUMBERS["tau"])
    correlated = cckd_loss(feature, GOLDEN["feat_t"].to(dtype), gamma=NUMBERS["gamma"])
    total = alpha * labels + (1 - alpha) * softened + NUMBERS["beta"] * correlated
    total.backward()
    for value, name in ((labels, "loss_ce"), (softened, "loss_kd"), (total, "loss_total")):
        assert_value(value, GOLDEN[name])
    assert_gradient(logits.grad, GOLDEN["grad_logits_s__total"])
    assert_gradient(feature.grad, GOLDEN["grad_feat_s__total"])
    reverse = kd_loss(teacher, logits, temperature=NUMBERS["tau"])
    assert_value(reverse, GOLDEN["loss_kd_reverse"])


@DTYPES
def test_cells_of_an_image(dtype):
    student = leaf(GOLDEN["map_s"], dtype)
    cells = tuple(side // NUMBERS["grid_pool"] for side in NUMBERS["grid"])
    loss = cckd_loss(student, GOLDEN["map_t"].to(dtype), instances="grid", grid=cells, gamma=NUMBERS["gamma"])
    loss.backward()
    assert_value(loss, GOLDEN["loss_dense_grid"])
    assert_gradient(student.grad, GOLDEN["grad_map_s__dense_grid"])


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
