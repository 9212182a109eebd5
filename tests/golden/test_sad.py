"""Self attention distillation, the losses of a lane network, and the three lane benchmarks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from golden.reader import assert_gradient, assert_value, golden, leaf
from pupil.losses import SADLoss, sad_loss
from pupil.losses.sad import activation_map, spatial_attention
from pupil.metrics import (
    bdd100k_scores,
    culane_counts,
    culane_iou,
    culane_spline,
    evaluate_culane,
    evaluate_tusimple,
    tusimple_scores,
)
from pupil.tasks.lanes_loss import LanesLoss

GOLDEN = golden("sad")
SETTINGS = GOLDEN.record["hyperparameters"]
VARIANTS = {"sum_abs": "absolute", "sum_sq": "squares", "max_sq": "maximum"}
MAPS = [run["variant"] for run in GOLDEN.matches(r"block2\.map_(?P<variant>sum_abs|sum_sq|max_sq)")]
BLOCKS = [run["block"] for run in GOLDEN.matches(r"(?P<block>block\d)\.attention")]
PAIRS = [(run["student"], run["teacher"]) for run in GOLDEN.matches(r"pair(?P<student>\d)(?P<teacher>\d)\.loss_sum")]
CHAINS = {"23_34": [("2", "3"), ("3", "4")], "all": [(str(a), str(b)) for a, b in SETTINGS["paths"]]}
TYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def block(number, dtype=torch.float64):
    return GOLDEN[f"block{number}"].to(dtype)


def check(name, dtype, student, teacher, *, ending="", **settings):
    """The sum over positions with its gradient, and, where there is one, the mean."""
    loss = sad_loss(student, teacher, **settings)
    loss.backward()
    assert_value(loss, GOLDEN[f"{name}.loss_sum{ending}"])
    assert_gradient(student.grad, GOLDEN[f"{name}.grad_student{ending}"])
    if f"{name}.loss_mean{ending}" in GOLDEN:
        mean = sad_loss(student.detach(), teacher, reduction="element", **settings)
        assert_value(mean, GOLDEN[f"{name}.loss_mean{ending}"])


@pytest.mark.parametrize("name", MAPS)
def test_activation_maps(name):
    assert len(MAPS) == len(VARIANTS)
    assert_value(activation_map(block(2), VARIANTS[name]), GOLDEN[f"block2.map_{name}"])


@TYPES
@pytest.mark.parametrize("name", BLOCKS)
def test_attention(name, dtype):
    assert_value(spatial_attention(GOLDEN[name].to(dtype)), GOLDEN[f"{name}.attention"])


def test_attention_is_resized_before_the_softmax():
    expected, feature = GOLDEN["block2.attention_up_x2"], block(2)
    size = expected.shape[1:]
    resized = F.interpolate(activation_map(feature)[:, None], size=size, mode="bilinear")[:, 0]
    assert_value(resized, GOLDEN["block2.map_up_x2"])
    assert_value(spatial_attention(feature, size=size), expected)


@TYPES
@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_pairs(student, teacher, dtype):
    check(f"pair{student}{teacher}", dtype, leaf(GOLDEN[f"block{student}"], dtype), block(teacher, dtype))


@TYPES
def test_at_the_size_of_the_image(dtype):
    size = tuple(SETTINGS["image_size_for_pair34"])
    check("pair34", dtype, leaf(GOLDEN["block3"], dtype), block(4, dtype), ending="_image_size", size=size)


@TYPES
def test_whoever_aligns_corners_as_torch7_does_resizes_first(dtype):
    """A target of one channel whose square is the resized map."""
    expected = GOLDEN["block2.map_up_x2_aligned"]
    maps = activation_map(block(2))[:, None]
    aligned = F.interpolate(maps, size=expected.shape[1:], mode="bilinear", align_corners=True)
    assert_value(aligned[:, 0], expected)
    target = aligned.sqrt()
    assert_value(spatial_attention(target), GOLDEN["block2.attention_up_x2_aligned"])
    check("pair12", dtype, leaf(GOLDEN["block1"], dtype), target.to(dtype), ending="_aligned")


@pytest.mark.parametrize("name", CHAINS)
def test_chains_are_sums_of_pairs(name):
    total = sum(SADLoss()(block(student), block(teacher)) for student, teacher in CHAINS[name])
    assert_value(total, GOLDEN[f"chain.loss_sum_{name}"])


@TYPES
def test_saturated(dtype):
    student, target = leaf(GOLDEN["saturated.student"], dtype), GOLDEN["saturated.target"].to(dtype)
    assert_value(spatial_attention(student.detach()), GOLDEN["saturated.attention"])
    loss = sad_loss(student, target)
    loss.backward()
    assert_value(loss, GOLDEN["saturated.loss_sum"])
    # Its largest entry is rounding noise: there is nothing to compare relative to.
    torch.testing.assert_close(student.grad.double(), GOLDEN["saturated.grad_student"], rtol=0, atol=1e-9)


@TYPES
def test_task_losses(dtype):
    logits, labels = leaf(GOLDEN["task.seg_logits"], dtype), GOLDEN["task.seg_labels"]
    weights = GOLDEN["task.class_weights"]
    scale = SETTINGS["loss_weights"]
    assert weights[0] == SETTINGS["background_weight"]
    loss = LanesLoss(
        len(weights) - 1,
        background_weight=float(weights[0]),
        existence_weight=scale["exist"],
        iou_weight=0.0,
    ).to(dtype)
    # Weights are float32 as built, whose 0.4 is not that of float64.
    loss.pixels.class_weights.copy_(weights)
    segmentation = loss(logits, labels)
    segmentation.backward()
    assert_value(segmentation, GOLDEN["task.seg_loss"])
    assert_gradient(logits.grad, GOLDEN["task.grad_seg_logits"])
    # A mask in which exactly those lanes occur that the flags say.
    flags = GOLDEN["task.exist_labels"].long()
    mask = (flags * torch.arange(1, flags.shape[1] + 1))[:, None]
    exist = GOLDEN["task.exist_logits"].to(dtype)
    empty = torch.zeros(len(mask), len(weights), *mask.shape[1:], dtype=dtype)
    existence = (loss(empty, mask, exist) - loss(empty, mask)) / scale["exist"]
    torch.testing.assert_close(
        existence, GOLDEN["task.exist_loss"].to(dtype), rtol=1e-9 if dtype == torch.float64 else 1e-4, atol=0
    )
    attention = sum(sad_loss(block(a, dtype), block(b, dtype)) for a, b in CHAINS["23_34"])
    total = scale["seg"] * segmentation + scale["exist"] * existence + scale["distill"] * attention
    assert_value(total, GOLDEN["task.total"])


def tusimple_images():
    """Predictions, labels and milliseconds of each image."""
    arrays = [GOLDEN[f"tusimple.{name}"].numpy() for name in ("pred", "pred_count", "gt", "gt_count", "run_time_ms")]
    return [
        (prediction[:predicted], target[:labelled], time)
        for prediction, predicted, target, labelled, time in zip(*arrays, strict=True)
    ]


def test_tusimple():
    rows = GOLDEN["tusimple.h_samples"].numpy()
    for (prediction, target, time), expected in zip(tusimple_images(), GOLDEN["tusimple.per_image"], strict=True):
        scores = tusimple_scores(prediction, target, rows, run_time=time)
        assert scores == pytest.approx(expected.tolist(), rel=1e-12)


def test_tusimple_files(tmp_path):
    rows = GOLDEN["tusimple.h_samples"].tolist()
    predictions, targets = [], []
    for index, (prediction, target, time) in enumerate(tusimple_images()):
        name = {"raw_file": f"clips/{index}/20.jpg"}
        predictions.append(json.dumps({**name, "lanes": prediction.tolist(), "run_time": time}))
        targets.append(json.dumps({**name, "lanes": target.tolist(), "h_samples": rows}))
    (tmp_path / "found.json").write_text("\n".join(reversed(predictions)))
    (tmp_path / "labels.json").write_text("\n".join(targets) + "\n")
    scores = evaluate_tusimple(tmp_path / "found.json", tmp_path / "labels.json")
    assert scores == pytest.approx(GOLDEN["tusimple.overall"].tolist(), rel=1e-12)


def test_the_benchmarks_have_the_golden_settings():
    from pupil.metrics import culane, tusimple

    ours = {"width": culane.WIDTH, "iou": culane.THRESHOLD, "samples_per_segment": culane.SAMPLES}
    assert {**ours, "canvas": list(culane.SIZE[::-1])} == SETTINGS["culane"]
    assert SETTINGS["tusimple"] == {"pixel_thresh": tusimple.TOLERANCE, "match_thresh": tusimple.MATCHED}


def test_culane():
    found, labelled = GOLDEN["culane.pred"].numpy(), GOLDEN["culane.gt"].numpy()
    counts = GOLDEN["culane.tp_fp_fn"].tolist()
    for prediction, target, iou, expected in zip(found, labelled, GOLDEN["culane.iou"].numpy(), counts, strict=True):
        ours = culane_iou(prediction, target).T
        # Where one of the two has no lanes, there are no pairs.
        assert np.isfinite(iou).sum() == ours.size
        np.testing.assert_allclose(ours, iou[: ours.shape[0], : ours.shape[1]], rtol=1e-12)
        assert list(culane_counts(prediction, target)) == expected
    lane = labelled[0, 0]
    np.testing.assert_allclose(culane_spline(lane), GOLDEN["culane.spline_points"].numpy(), rtol=1e-6)


def test_culane_files(tmp_path):
    found, labelled = GOLDEN["culane.pred"].numpy(), GOLDEN["culane.gt"].numpy()
    names = [f"driver_{index}/0001.jpg" for index in range(len(found))]
    for folder, images in (("found", found), ("labels", labelled)):
        for name, lanes in zip(names, images, strict=True):
            lines = [" ".join(map(str, lane[np.isfinite(lane)])) for lane in lanes if np.isfinite(lane).any()]
            file = (tmp_path / folder / name).with_suffix(".lines.txt")
            file.parent.mkdir(parents=True)
            if lines or folder == "labels":
                file.write_text("\n".join(lines))
    (tmp_path / "list.txt").write_text("\n".join(f"/{name}" for name in names))
    scores = evaluate_culane(tmp_path / "found", tmp_path / "labels", tmp_path / "list.txt")
    expected = GOLDEN["culane.precision_recall_f1"].tolist()
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(expected, rel=1e-12)
    assert (scores.tp, scores.fp, scores.fn) == tuple(GOLDEN["culane.tp_fp_fn"].sum(0).tolist())
    assert scores.missing == sum(not np.isfinite(lanes).any() for lanes in found)


def test_bdd100k():
    found, labelled = GOLDEN["bdd.pred"].numpy(), GOLDEN["bdd.gt"].numpy()
    scores = np.array([bdd100k_scores(*pair) for pair in zip(found, 255 * labelled, strict=True)])
    np.testing.assert_allclose(scores, GOLDEN["bdd.per_image"].numpy(), rtol=1e-12)
    np.testing.assert_allclose(100 * scores.mean(axis=0), GOLDEN["bdd.overall_percent"].numpy(), rtol=1e-12)


def test_every_array_was_compared():
    assert GOLDEN.unread() == set()
