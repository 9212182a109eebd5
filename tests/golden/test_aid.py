"""Adaptive instance distillation and its base losses against the formulas and functions of the released code.

What belongs to the KITTI metric is compared in test_aid_kitti.py.
"""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from golden.reader import assert_gradient, assert_value, golden, leaf
from pupil.functional.attention_masks import attention_mask, channel_attention, spatial_attention
from pupil.functional.importance import adaptive_weights, teacher_task_loss
from pupil.losses import (
    AIDLogitsLoss,
    AIDLoss,
    AttentionGuidedLoss,
    AttentionTransferLoss,
    FBKDLoss,
    NonLocalLoss,
    attention_transfer_loss,
)
from pupil.losses.fbkd import Setting

GOLDEN = golden("aid")
CASES = {case["name"]: case for case in GOLDEN.record["cases"]}
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
VARIANTS = {"mean_of_softmax": "code", "softmax_of_sum": "paper"}
GRANULARITIES = {"image_level": "level_image", "batch_level": "level", "image": "image", "batch": "batch"}


def cases(prefix):
    return pytest.mark.parametrize("case", [name for name in CASES if name.startswith(prefix)])


def array(case, name):
    return GOLDEN[f"{case}/{name}"]


def channels(case, level=""):
    return tuple(array(case, who + level).shape[1] for who in ("student", "teacher"))


def settings(case):
    return CASES[case]["hyperparameters"]


def fill(module, case, names, level=""):
    """Copy arrays into a module's parameters and buffers; every one of them has to come."""
    state = {place: array(case, name + level) for place, name in names.items()}
    counters = {place: value for place, value in module.state_dict().items() if place.endswith("num_batches_tracked")}
    module.load_state_dict({**counters, **state}, strict=True)
    return module


def block_names(place, name):
    weights = {
        f"{place}.{part}.{kind}": f"{name}_{part}_{kind[0]}"
        for part in ("theta", "phi", "g", "out")
        for kind in ("weight", "bias")
    }
    norm = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
    return {**weights, **{f"{place}.norm.{ours}": f"{name}_bn_{theirs}" for ours, theirs in norm.items()}}


def layer_names(place, name):
    return {f"{place}.weight": f"{name}_weight", f"{place}.bias": f"{name}_bias"}


ADAPTER = layer_names("adapter", "adapt")
TRANSFER = {
    **layer_names("channel_adapter", "channel_adapt"),
    **layer_names("spatial_adapter", "spatial_adapt"),
}
RELATION = {**block_names("student_block", "student_block"), **block_names("teacher_block", "teacher_block")}


def compare(module, case, mode, names, dtype, *, reduction, **arguments):
    """Value and every stored gradient of one mode."""
    module.reduction = reduction
    student = leaf(array(case, "student"), dtype)
    loss = module(student, array(case, "teacher").to(dtype), **arguments)
    loss.backward()
    assert_gradient(student.grad, array(case, f"grad_{mode}_student"))
    parameters = dict(module.named_parameters())
    for place, name in names.items():
        if f"{case}/grad_{mode}_{name}" in GOLDEN:
            assert_gradient(parameters[place].grad, array(case, f"grad_{mode}_{name}"))
    return loss


@DTYPES
@cases("attention_T")
def test_attention_and_masks(case, dtype):
    temperature = settings(case)["temperature"]
    attention = {"spatial": spatial_attention, "channel": channel_attention}
    shown = {who: array(case, who).to(dtype) for who in ("student", "teacher")}
    for kind, looks in attention.items():
        student, teacher = (looks(feature) for feature in shown.values())
        for who, seen in (("student", student), ("teacher", teacher)):
            assert_value(seen, array(case, f"{who}_{kind}_attention"))
            alone = attention_mask(seen, seen, temperature=temperature)
            assert_value(alone.flatten(), array(case, f"{who}_{kind}_mask").flatten())
        for name, variant in VARIANTS.items():
            mask = attention_mask(student, teacher, temperature=temperature, variant=variant)
            assert_value(mask.flatten(), array(case, f"{kind}_mask_{name}").flatten())


@DTYPES
@cases("masked_feature")
def test_attention_guided(case, dtype):
    numbers = settings(case)
    module = AttentionGuidedLoss(
        *channels(case),
        temperature=numbers["temperature"],
        channel_mask=numbers["channel_mask"],
        variant=VARIANTS[numbers["mask_combination"]],
    ).to(dtype)
    for mode in ("batch_norm", "image_mean"):
        module.zero_grad()
        loss = compare(fill(module, case, ADAPTER), case, mode, ADAPTER, dtype, reduction=mode)
        assert_value(numbers["loss_weight"] * loss, array(case, f"loss_{mode}"))
    each = array(case, "loss_per_image")
    assert_images(module, case, each, dtype)


def assert_images(module, case, each, dtype):
    """The importance that picks one image leaves its norm over N."""
    module.reduction = "image_mean"
    shown = [array(case, who).to(dtype) for who in ("student", "teacher")]
    for picked, norm in zip(torch.eye(len(each), dtype=dtype), each, strict=True):
        assert_value(module(*shown, picked) * len(each), norm)


@DTYPES
def test_attention_transfer(dtype):
    case = "attention_transfer"
    module = fill(AttentionTransferLoss(*channels(case)).to(dtype), case, TRANSFER)
    whole = compare(module, case, "batch_norm", TRANSFER, dtype, reduction="batch_norm")
    parts = {"channel": (1.0, 0.0), "spatial": (0.0, 1.0)}
    total = sum(array(case, f"{part}_loss_batch_norm") for part in parts)
    assert_value(whole, total)
    module.zero_grad()
    compare(module, case, "image_mean", TRANSFER, dtype, reduction="image_mean")
    for part, (module.channel_weight, module.spatial_weight) in parts.items():
        assert_images(module, case, array(case, f"{part}_loss_per_image"), dtype)
        module.reduction = "batch_norm"
        shown = [array(case, who).to(dtype) for who in ("student", "teacher")]
        assert_value(module(*shown), array(case, f"{part}_loss_batch_norm"))


@DTYPES
def test_attention_transfer_by_the_letter(dtype):
    case = "attention_transfer"
    student, teacher = leaf(array(case, "student"), dtype), array(case, "teacher").to(dtype)
    loss = attention_transfer_loss(student, teacher, variant="paper")
    loss.backward()
    each = array(case, "literal_loss_per_image")
    assert_value(loss, each.mean())
    assert_gradient(student.grad, array(case, "grad_literal_image_mean_student"))
    for picked, norm in zip(torch.eye(len(each), dtype=dtype), each, strict=True):
        ours = attention_transfer_loss(student, teacher, picked, variant="paper")
        assert_value(ours * len(each), norm)


@DTYPES
@cases("nonlocal")
def test_non_local(case, dtype):
    numbers = settings(case)
    module = NonLocalLoss(*channels(case), inner_channels=numbers["inner_channels"], pool=numbers["pool_stride"]).to(
        dtype
    )
    names = {**ADAPTER, **RELATION}
    module.train(numbers["batch_norm_training"])
    for block in (module.student_block, module.teacher_block):
        assert block.norm.eps == numbers["batch_norm_eps"]
    for mode in ("batch_norm", "image_mean"):
        module.zero_grad()
        loss = compare(fill(module, case, names), case, mode, names, dtype, reduction=mode)
        if mode == "batch_norm":
            assert_value(numbers["loss_weight"] * loss, array(case, "loss_batch_norm"))
    assert_images(module, case, array(case, "loss_per_image"), dtype)
    for who, block in (("student", module.student_block), ("teacher", module.teacher_block)):
        related = block(array(case, who).to(dtype))
        assert_gradient(related, array(case, f"{who}_relation"))


@DTYPES
def test_weights(dtype):
    case = "aid_weights"
    levels = sum(array(case, f"teacher_{part}_loss").to(dtype) for part in re.findall("cls|box", settings(case)["D"]))
    for alpha in settings(case)["alpha"]:
        for name, granularity in GRANULARITIES.items():
            weights = adaptive_weights(teacher_task_loss(levels, granularity=granularity), alpha)
            stored = array(case, f"weight_{name}_alpha{alpha}")
            assert_value(weights.reshape(stored.shape), stored)


@DTYPES
def test_weights_of_two_stages(dtype):
    case = "aid_weights_two_stage"
    levels = sum(array(case, f"rpn_{part}_loss").to(dtype) for part in ("cls", "box"))
    shared = sum(array(case, f"roi_{part}_loss").to(dtype) for part in ("cls", "box"))
    assert_value(teacher_task_loss(levels, shared), array(case, "D_image_level"))
    for name in ("image_level", "batch_level", "image"):
        loss = teacher_task_loss(levels, shared, granularity=GRANULARITIES[name])
        stored = array(case, f"weight_{name}")
        assert_value(adaptive_weights(loss, settings(case)["alpha"]).reshape(stored.shape), stored)


def whole(dtype, reduction, **weights):
    """The loss of all levels, with some of its four factors replaced; and what it is shown."""
    case, numbers = "aid_total", settings("aid_total")
    assert numbers["D"] == "cls + box"
    levels = sorted(found["level"] for found in GOLDEN.matches(rf"{case}/student_(?P<level>l\d+)"))
    names = ("feature", "channel", "spatial", "nonlocal")
    factors = [weights.get(name, numbers[f"lambda_{name}"] if not weights else 0.0) for name in names]
    loss = FBKDLoss(
        {level: channels(case, f"_{level}") for level in levels},
        Setting(numbers["temperature"], *factors, channel_mask=numbers["channel_mask"]),
        inner_channels=[numbers["inner_channels"]],
        pools=[numbers["pool_stride"]],
        variant=VARIANTS[numbers["mask_combination"]],
        reduction=reduction,
    ).to(dtype)
    loss.train(numbers["batch_norm_training"])
    for part, level in zip(loss.parts, levels, strict=True):
        fill(part["feature"], case, ADAPTER, f"_{level}")
        fill(part["attention"], case, TRANSFER, f"_{level}")
        fill(part["relation"], case, {**layer_names("adapter", "nonlocal_adapt"), **RELATION}, f"_{level}")
    student = {level: leaf(array(case, f"student_{level}"), dtype) for level in levels}
    teacher = {level: array(case, f"teacher_{level}").to(dtype) for level in levels}
    return loss, student, teacher


def total_task_loss(dtype):
    return sum(array("aid_total", f"teacher_{part}_loss").to(dtype) for part in ("cls", "box"))


@DTYPES
@pytest.mark.parametrize(
    ("mode", "reduction"),
    [
        (found["mode"], found["reduction"])
        for found in GOLDEN.matches(r"aid_total/total_(?P<mode>.+)_(?P<reduction>batch_norm|image_mean)")
    ],
)
def test_total(mode, reduction, dtype):
    loss, student, teacher = whole(dtype, reduction)
    if mode == "unweighted":
        value = loss(student, teacher)
    else:
        task_loss = teacher_task_loss(total_task_loss(dtype), granularity=GRANULARITIES[mode])
        value = AIDLoss(loss, alpha=settings("aid_total")["alpha"])(student, teacher, task_loss)
    value.backward()
    assert_value(value, array("aid_total", f"total_{mode}_{reduction}"))
    for level, shown in student.items():
        assert_gradient(shown.grad, array("aid_total", f"grad_{mode}_{reduction}_student_{level}"))


@DTYPES
@pytest.mark.parametrize("name", ["feature", "channel", "spatial", "nonlocal"])
def test_terms_of_the_total(name, dtype):
    stored = array("aid_total", f"terms_batch_norm_{name}")
    loss, student, teacher = whole(dtype, "batch_norm", **{name: 1.0})
    for picked, term in zip(torch.eye(len(stored), dtype=dtype), stored, strict=True):
        assert_value(loss(student, teacher, picked[:, None]), term)
    stored = array("aid_total", f"terms_per_image_{name}")
    loss, student, teacher = whole(dtype, "image_mean", **{name: 1.0})
    for picked, term in zip(torch.eye(stored.numel(), dtype=dtype), stored.flatten(), strict=True):
        assert_value(loss(student, teacher, picked.view_as(stored)) * stored.shape[1], term)


def logits_term(dtype, **weights):
    case, numbers = "aid_logits", settings("aid_logits")
    levels = sorted(found["level"] for found in GOLDEN.matches(rf"{case}/position_weight_(?P<level>l\d+)"))
    if not weights:
        weights = {"box_weight": numbers["lambda_ld"], "class_weight": numbers["lambda_kd"]}
    loss = AIDLogitsLoss(
        alpha=numbers["alpha"], box_temperature=numbers["T_ld"], class_temperature=numbers["T_kd"], **weights
    )
    student, teacher = (
        [
            tuple(leaf(array(case, f"{who}_{kind}_logits_{level}")[None], dtype) for kind in ("box", "cls"))
            for level in levels
        ]
        for who in ("student", "teacher")
    )
    positions = [array(case, f"position_weight_{level}").to(dtype)[None] for level in levels]
    return loss, levels, student, teacher, positions


@DTYPES
def test_logits(dtype):
    case = "aid_logits"
    loss, levels, student, teacher, positions = logits_term(dtype)
    task_losses = tuple(array(case, f"teacher_{kind}_loss").to(dtype)[:, None] for kind in ("box", "cls"))
    value = loss(student, teacher, task_losses, positions)
    value.backward()
    assert_value(value, array(case, "total"))
    for level, shown in zip(levels, student, strict=True):
        for kind, logits in zip(("box", "cls"), shown, strict=True):
            assert_gradient(logits.grad[0], array(case, f"grad_student_{kind}_logits_{level}"))
    assert all(logits.grad is None for shown in teacher for logits in shown)
    for kind, task_loss in zip(("box", "cls"), task_losses, strict=True):
        assert_value(adaptive_weights(task_loss, loss.alpha)[:, 0], array(case, f"weight_{kind}"))


@DTYPES
@pytest.mark.parametrize(("name", "chosen"), [("ld", (1.0, 0.0)), ("kd", (0.0, 1.0))])
def test_terms_of_the_logits(name, chosen, dtype):
    loss, levels, student, teacher, positions = logits_term(
        dtype, **dict(zip(("box_weight", "class_weight"), chosen, strict=True))
    )
    fits = torch.zeros((), dtype=dtype)
    for index in range(len(levels)):
        one = slice(index, index + 1)
        ours = loss(student[one], teacher[one], (fits, fits), positions[one])
        assert_value(ours, array("aid_logits", f"{name}_loss")[index])


def dense_losses(case):
    """What a RetinaNet says of each level and image: focal loss and L1 over the image's positives."""
    numbers, labels = settings(case), array(case, "labels")
    objects = labels >= 0
    positives = objects.sum(1, keepdim=True).clamp(min=1)
    targets = F.one_hot(labels.clamp(min=0), numbers["num_classes"]) * objects[..., None]
    focal = sigmoid_focal_loss(
        array(case, "cls_logits"), targets.double(), alpha=numbers["focal_alpha"], gamma=numbers["focal_gamma"]
    )
    classes = focal.sum(2) * (labels != -2) / positives
    boxes = (array(case, "box_deltas") - array(case, "box_targets")).abs().sum(2) * objects / positives
    return {
        kind: torch.stack([part.sum(1) for part in loss.split(numbers["positions_per_level"], 1)])
        for kind, loss in (("cls", classes), ("box", boxes))
    }


def test_teacher_of_a_dense_detector():
    case = "dense_teacher_loss"
    losses = dense_losses(case)
    for kind, loss in losses.items():
        assert_value(loss, array(case, f"{kind}_loss_level_image"))
        assert_value(teacher_task_loss(loss, granularity="image"), array(case, f"{kind}_loss_image"))
        assert_value(teacher_task_loss(loss, granularity="batch"), array(case, f"{kind}_loss_batch"))
    for name, granularity in (("image_level", "level_image"), ("image", "image")):
        loss = teacher_task_loss(losses["cls"] + losses["box"], granularity=granularity)
        assert_value(adaptive_weights(loss, settings(case)["alpha"]), array(case, f"weight_{name}"))


def test_every_array_was_compared_but_those_of_kitti():
    kitti = {
        name
        for case in CASES
        if "kitti" in case
        for part in ("inputs", "outputs")
        for name in CASES[case][part].values()
    }
    assert kitti
    assert GOLDEN.unread() - kitti == set()
