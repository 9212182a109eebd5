"""Batch knowledge ensembling against the released functions of BAKE, and against the formulas evaluated apart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from golden.reader import assert_gradient, assert_value, golden, leaf
from pupil.data.class_batches import AnchoredBatches
from pupil.functional.batch_ensemble import batch_affinity, ensembled_targets, propagated
from pupil.lesson import Activations, Lesson
from pupil.losses import KDLoss
from pupil.teachers import BatchEnsembleTeacher

GOLDEN = golden("bake")
CASES = GOLDEN.record["cases"]  # by name in this file, where other files have a list
BATCHES = [run["case"] for run in GOLDEN.matches(r"(?P<case>[^_]+)_affinity")]
STEPS = [(run["case"], run["steps"]) for run in GOLDEN.matches(r"(?P<case>[^_]+)_q_step(?P<steps>\d+)")]
SHARED = [run["case"] for run in GOLDEN.matches(r"(?P<case>[^_]+)_q_global_rows")]
SOFT_LABELS = [run["case"] for run in GOLDEN.matches(r"(?P<case>[^_]+)_target_probs")]
GROUPED = [name for name, case in CASES.items() if case.get("groups")]


def ends(dtype):
    """How the names of what was computed in this type end; float64 goes without saying."""
    return "" if dtype == torch.float64 else "_float32"


def shown(case, dtype, logits=None):
    logits = GOLDEN[f"{case}_logits"].to(dtype) if logits is None else logits
    return Activations(logits, {"pool": GOLDEN[f"{case}_features"].to(dtype)})


def settings(case):
    return {"temperature": CASES[case]["temperature"], "weight": CASES[case]["omega"]}


def teacher(case, **options):
    return BatchEnsembleTeacher("pool", **settings(case), **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", BATCHES)
def test_affinity_and_targets(case, dtype):
    features, logits = GOLDEN[f"{case}_features"].to(dtype), GOLDEN[f"{case}_logits"].to(dtype)
    affinity, omega = batch_affinity(features), CASES[case]["omega"]
    assert_value(affinity, GOLDEN[f"{case}_affinity"])
    own = torch.eye(len(affinity), dtype=dtype)
    assert_value(propagated(affinity, own, weight=omega), GOLDEN[f"{case}_propagation"])
    targets = ensembled_targets(features, logits, **settings(case))
    assert_value(targets, GOLDEN[f"{case}_q{ends(dtype)}"])
    unmixed = ensembled_targets(features, logits, temperature=CASES[case]["temperature"], weight=0.0)
    assert_value(unmixed, GOLDEN[f"{case}_p_soft"])


@pytest.mark.parametrize(("case", "steps"), STEPS)
def test_a_number_of_steps(case, steps):
    affinity = batch_affinity(GOLDEN[f"{case}_features"].double())
    passed_on = propagated(affinity, GOLDEN[f"{case}_p_soft"], weight=CASES[case]["omega"], steps=int(steps))
    assert_value(passed_on, GOLDEN[f"{case}_q_step{steps}"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", BATCHES)
def test_the_ordinary_loss_on_the_teachers_logits(case, dtype):
    logits = leaf(GOLDEN[f"{case}_logits"], dtype)
    student = shown(case, dtype, logits)
    target = teacher(case)(Lesson(None, None, student)).output
    loss = KDLoss(temperature=CASES[case]["temperature"])(logits, target)
    (gradient,) = torch.autograd.grad(loss, logits)
    # A batch of one, and a weight of 0, leave nothing of the loss but what rounding adds to it.
    rounding = 4 * CASES[case]["temperature"] ** 2 * torch.finfo(dtype).eps
    for ours, name, check in ((loss, "loss_kd", assert_value), (gradient, "grad_logits_kd", assert_gradient)):
        expected = GOLDEN[f"{case}_{name}{ends(dtype)}"]
        if expected.abs().max() > rounding:
            check(ours, expected)
        else:
            assert ours.abs().max() < rounding
    if dtype == torch.float64:
        task = F.cross_entropy(logits, GOLDEN[f"{case}_labels"])
        assert_value(task, GOLDEN[f"{case}_loss_ce"])
        total = task + CASES[case]["lam"] * KDLoss(temperature=CASES[case]["temperature"])(logits, target)
        assert_value(total, GOLDEN[f"{case}_loss_total"])
        (gradient,) = torch.autograd.grad(total, logits)
        assert_gradient(gradient, GOLDEN[f"{case}_grad_logits_total"])


@pytest.mark.parametrize("case", SHARED)
def test_the_rows_of_one_process_in_a_batch_of_all(case):
    own = CASES[case]["local_batch"]
    rows = slice(CASES[case]["rank"] * own, (CASES[case]["rank"] + 1) * own)
    features, logits = GOLDEN[f"{case}_features_all"].double(), GOLDEN[f"{case}_logits_all"].double()
    targets = ensembled_targets(features, logits, **settings(case))[rows]
    assert_value(targets, GOLDEN[f"{case}_q_global_rows"])
    alone = ensembled_targets(features[rows], logits[rows], **settings(case))
    assert_value(alone, GOLDEN[f"{case}_q_local_rows"])
    student = logits[rows].requires_grad_()
    temperature = CASES[case]["temperature"]
    loss = KDLoss(temperature=temperature)(student, temperature * targets.log())
    loss.backward()
    assert_value(loss, GOLDEN[f"{case}_loss_kd"])
    assert_gradient(student.grad, GOLDEN[f"{case}_grad_logits_kd"])


@pytest.mark.parametrize("case", SOFT_LABELS)
def test_cross_entropy_of_mixed_labels(case):
    """The released loss of a mixed batch is torch's own."""
    logits = leaf(GOLDEN[f"{case}_logits"], torch.float64)
    loss = F.cross_entropy(logits, GOLDEN[f"{case}_target_probs"])
    loss.backward()
    assert_value(loss, GOLDEN[f"{case}_loss"])
    assert_gradient(logits.grad, GOLDEN[f"{case}_grad_logits"])


@pytest.mark.parametrize("case", GROUPED)
def test_batches_are_laid_out_alike(case):
    anchors, positives = CASES[case]["groups"].values()
    labels = GOLDEN[f"{case}_labels"].tolist()
    assert labels[anchors:] == [each for each in labels[:anchors] for _ in range(positives)]
    classes = [item % CASES[case]["K"] for item in range(10 * CASES[case]["K"])]
    [batch] = AnchoredBatches(len(classes), CASES[case]["B"], labels=classes, positives=positives, steps=1, seed=0)
    ours = [classes[index] for index, _ in batch]
    assert ours[anchors:] == [each for each in ours[:anchors] for _ in range(positives)]


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
