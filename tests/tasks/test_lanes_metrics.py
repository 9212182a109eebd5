"""Scores of perfect, empty and shifted predictions, by benchmark, at any size of image and in any batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pupil.data.lanes.drawn import DrawnLanes
from pupil.errors import UsageError
from pupil.metrics import culane_counts, tusimple_scores
from pupil.tasks.lanes_metrics import SCORES, LanesMetrics

NAN = float("nan")


def lanes(*x: list[float], first: float = 300.0, step: float = 40.0) -> Tensor:
    """One image's lanes (S, P, 2), by their x at rows from the first on."""
    points = torch.tensor(x)
    return torch.stack([points, (first + step * torch.arange(points.shape[1])).expand_as(points)], dim=2)


def scores(metric: str, *pairs: tuple[Tensor, Tensor], frame: tuple[int, int] | None = None) -> dict[str, float]:
    counted = LanesMetrics(metric, frame=frame)
    for prediction, target in pairs:
        counted.update(prediction[None], target[None])
    return counted.compute()


LEFT, RIGHT, NONE = [500.0, 470, 440, 400, 370], [800.0, 850, 900, NAN, NAN], [NAN] * 5


@pytest.mark.parametrize(
    ("metric", "perfect"),
    [
        ("tusimple", {"accuracy": 1, "fp": 0, "fn": 0}),
        ("culane", {"f1": 1, "precision": 1, "recall": 1, "tp": 4, "fp": 0, "fn": 0}),
    ],
)
def test_perfect_predictions_are_perfect(metric: str, perfect: dict[str, float]) -> None:
    target = lanes(LEFT, NONE, RIGHT)
    found = scores(metric, (target, target), (target.flip(0), target))
    assert found == pytest.approx(perfect)
    assert next(iter(found)) == SCORES[metric]


def test_perfect_masks_and_ignored_pixels() -> None:
    mask = torch.tensor([[[0, 1, 1, 255], [0, 0, 1, 1]]])
    counted = LanesMetrics("bdd100k")
    counted.update(torch.where(mask == 255, 1, mask).to(torch.uint8), mask)
    assert counted.compute() == {"iou": 1.0, "accuracy": 1.0}
    counted.update(torch.zeros_like(mask), mask)
    assert counted.compute() == {"iou": 0.5, "accuracy": 0.5}


def test_drawn_scenes_predicted_as_labelled_are_perfect() -> None:
    drawn = DrawnLanes(6)
    items = [drawn[index][1].as_subclass(Tensor) for index in range(6)]
    found = scores("tusimple", *((each, each) for each in items), frame=drawn.frame)
    # Without any lane an image has no accuracy, as the benchmark has it.
    some = np.mean([bool(each[..., 0].isfinite().any()) for each in items])
    assert found == pytest.approx({"accuracy": some, "fp": 0, "fn": 0})


def test_nothing_predicted() -> None:
    target, nothing = lanes(LEFT, NONE, RIGHT), lanes(NONE, NONE, NONE)
    assert scores("tusimple", (nothing, target)) == {"accuracy": 0, "fp": 0, "fn": 1}
    found = scores("culane", (nothing, target))
    assert found == {"f1": 0, "precision": 0, "recall": 0, "tp": 0, "fp": 0, "fn": 2}
    assert scores("culane", (target, nothing))["fp"] == 2


def test_an_image_without_rows_of_any_kind_does_no_harm() -> None:
    empty = torch.full((3, 5, 2), NAN)
    assert scores("tusimple", (lanes(LEFT, RIGHT, NONE), empty)) == {"accuracy": 0, "fp": 1, "fn": 0}


def test_equal_to_the_benchmark_image_by_image() -> None:
    target = lanes(LEFT, RIGHT, NONE)
    prediction = lanes([505.0, 490, 445, 500, NAN], [NAN, 860, 900, NAN, NAN], NONE)
    expected = tusimple_scores(prediction[:2, :, 0].numpy(), target[:2, :, 0].numpy(), target[0, :, 1].numpy())
    assert tuple(scores("tusimple", (prediction, target)).values()) == pytest.approx(tuple(expected))
    counts = culane_counts(prediction[:2].numpy(), target[:2].numpy())
    assert tuple(scores("culane", (prediction, target)).values())[3:] == tuple(counts)


def test_the_rows_of_the_label_count_and_predictions_are_read_off_there() -> None:
    prediction = lanes([400.0, 420, 440, 460, 480, 500], first=160, step=20)
    whole = lanes([410.0, 430, 450, 470], NONE[:4], first=170, step=20)
    assert scores("tusimple", (prediction, whole))["accuracy"] == 1.0
    # Two of four rows lie beyond what is predicted.
    beyond = lanes([460.0, 500, 540, 580], first=220, step=40)
    assert scores("tusimple", (prediction, beyond))["accuracy"] == 0.5
    # Padding of the label is no row.
    padded = torch.cat([whole, torch.full((2, 3, 2), NAN)], dim=1)
    assert scores("tusimple", (prediction, padded))["accuracy"] == 1.0


def test_a_row_that_shows_no_lane_stays_without_one() -> None:
    gap = lanes([400.0, NAN, 440, 460])
    assert scores("tusimple", (lanes([400.0, 420, 440, 460]), gap))["accuracy"] == 0.75
    assert scores("tusimple", (gap, gap))["accuracy"] == 1.0


@pytest.mark.parametrize("metric", ["tusimple", "culane"])
def test_tolerances_are_the_same_share_of_any_image(metric: str) -> None:
    target = lanes(LEFT, RIGHT, NONE)
    small = torch.tensor([1 / 8, 1 / 10])
    size = {"tusimple": (72, 160), "culane": (59, 205)}[metric]
    for shift, right in ((12.0, True), (60.0, False)):
        prediction = target + torch.tensor([shift, 0.0])
        found = scores(metric, (prediction * small, target * small), frame=size)
        assert found == pytest.approx(scores(metric, (prediction, target)))
        assert (found[SCORES[metric]] > 0.9) == right


def test_batches_are_counted_together() -> None:
    target, other = lanes(LEFT, RIGHT, NONE), lanes(RIGHT, NONE, NONE)
    one = LanesMetrics("tusimple")
    one.update(torch.stack([target, target, other]), torch.stack([target, other, target]))
    found = scores("tusimple", (target, target), (target, other), (other, target))
    assert one.compute() == pytest.approx(found)


def test_an_unknown_metric_lists_the_known() -> None:
    with pytest.raises(UsageError, match="unknown metric 'cullane': did you mean culane"):
        LanesMetrics("cullane")
