"""Similarity transfer: mixing, both kinds of shares, and the loss on what was mixed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from golden.reader import assert_gradient, assert_value, golden, leaf
from pupil.data.mixing import as_probabilities, blended, blended_targets
from pupil.losses import kd_loss
from pupil.tasks.classification_loss import ClassificationLoss
from pupil.tasks.segmentation_loss import SegmentationLoss

GOLDEN = golden("stkd")
SETTINGS = GOLDEN.record["hyperparameters"]
SHARES = {"scalar": "lam", "vector": "lam_vec"}
CASES = [case["case"] for case in GOLDEN.matches(r"mixed_images__(?P<case>\w+)")]
TYPES = [torch.float64, torch.float32]


def mixture(case, dtype):
    partner, share = GOLDEN["perm"], GOLDEN[SHARES[case]].to(dtype)
    target = as_probabilities(GOLDEN["labels"], SETTINGS["num_classes"]).to(dtype)
    return blended(GOLDEN["images"].to(dtype), partner, share), blended_targets(target, partner, share)


def linear(image, who, dtype, weight=None, bias=None):
    weight = GOLDEN[f"{who}_weight"].to(dtype) if weight is None else weight
    bias = GOLDEN[f"{who}_bias"].to(dtype) if bias is None else bias
    return F.linear(image.flatten(1), weight, bias)


def total(hard, soft):
    return (1 - SETTINGS["alpha"]) * hard + SETTINGS["alpha"] * soft


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", TYPES)
def test_images_and_targets_are_mixed_alike(case, dtype):
    image, target = mixture(case, dtype)
    assert_value(image, GOLDEN[f"mixed_images__{case}"])
    assert_value(target, GOLDEN[f"mixed_targets__{case}"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", TYPES)
def test_objective_down_to_the_weights_of_the_student(case, dtype):
    image, target = mixture(case, dtype)
    weight, bias = leaf(GOLDEN["student_weight"], dtype), leaf(GOLDEN["student_bias"], dtype)
    student, teacher = linear(image, "student", dtype, weight, bias), linear(image, "teacher", dtype)
    student.retain_grad()
    assert_value(student, GOLDEN[f"logits_s__{case}"])
    assert_value(teacher, GOLDEN[f"logits_t__{case}"])
    hard = ClassificationLoss()(student, target)
    soft = kd_loss(student, teacher, temperature=SETTINGS["T"])
    assert_value(hard, GOLDEN[f"loss_ce__{case}"])
    assert_value(soft, GOLDEN[f"loss_kd__{case}"])
    objective = total(hard, soft)
    objective.backward()
    assert_value(objective, GOLDEN[f"loss_total__{case}"])
    assert_gradient(student.grad, GOLDEN[f"grad_logits_s__{case}"])
    assert_gradient(weight.grad, GOLDEN[f"grad_student_weight__{case}"])
    assert_gradient(bias.grad, GOLDEN[f"grad_student_bias__{case}"])


@pytest.mark.parametrize("dtype", TYPES)
def test_the_answer_to_clean_images_mixed_is_another_target(dtype):
    """Not the method: what a cache of the teacher's answers could give."""
    image, _ = mixture("scalar", dtype)
    student = linear(image, "student", dtype).requires_grad_()
    clean = linear(GOLDEN["images"].to(dtype), "teacher", dtype)
    assert_value(clean, GOLDEN["logits_t_clean"])
    softened = (clean / SETTINGS["T"]).softmax(dim=1)
    target = blended(softened, GOLDEN["perm"], GOLDEN["lam"].to(dtype))
    assert_value(target, GOLDEN["soft_target_interpolated"])
    loss = kd_loss(student, SETTINGS["T"] * target.log(), temperature=SETTINGS["T"])
    loss.backward()
    assert_value(loss, GOLDEN["loss_kd__interpolated"])
    assert_gradient(student.grad, GOLDEN["grad_logits_s__interpolated"])


@pytest.mark.parametrize("dtype", TYPES)
def test_maps_count_where_both_images_have_a_label(dtype):
    ignored, classes = SETTINGS["ignore_index"], SETTINGS["num_classes"]
    target = as_probabilities(GOLDEN["dense_labels"], classes, ignored)
    target = blended_targets(target.to(dtype), GOLDEN["perm"], GOLDEN["lam"].to(dtype))
    valid = target.sum(dim=1) > 0
    assert valid.equal(GOLDEN["dense_valid"].bool())
    student, teacher = leaf(GOLDEN["dense_logits_s"], dtype), GOLDEN["dense_logits_t"].to(dtype)
    hard = SegmentationLoss(classes, ignore_index=ignored)(student, target)
    soft = kd_loss(student, teacher, valid, temperature=SETTINGS["T"])
    objective = total(hard, soft)
    objective.backward()
    assert_value(hard, GOLDEN["dense_loss_ce"])
    assert_value(soft, GOLDEN["dense_loss_kd"])
    assert_value(objective, GOLDEN["dense_loss_total"])
    assert_gradient(student.grad, GOLDEN["dense_grad_logits_s"])


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
