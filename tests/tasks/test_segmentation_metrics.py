from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pupil.tasks.segmentation_metrics import SegmentationMetrics

IGNORE = 255


def scores(prediction: Tensor, target: Tensor, classes: int, ignore_index: int = IGNORE) -> dict[str, float]:
    counted = SegmentationMetrics([str(each) for each in range(classes)], ignore_index)
    counted.update(prediction, target)
    return counted.compute()


def test_a_matrix_worked_by_hand() -> None:
    """Labelled 0: three hit, one taken for 1. Labelled 1: two hit. Class 0: 3/4 IoU, class 1: 2/3."""
    found = scores(torch.tensor([[[0, 0, 0, 1, 1, 1, 0]]]), torch.tensor([[[0, 0, 0, 0, 1, 1, IGNORE]]]), 2)
    assert found == pytest.approx(
        {
            "miou": (3 / 4 + 2 / 3) / 2,
            "pixel_accuracy": 5 / 6,
            "class_accuracy": (3 / 4 + 1) / 2,
            "iou/0": 3 / 4,
            "iou/1": 2 / 3,
        }
    )


def naive(prediction: Tensor, target: Tensor, classes: int) -> dict[str, float]:
    """The same by loops over pixels and classes."""
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(prediction.flatten().tolist(), target.flatten().tolist(), strict=True)
        if theirs != IGNORE
    ]
    iou, recall = {}, []
    for each in range(classes):
        both = sum(ours == theirs == each for ours, theirs in pairs)
        either = sum(each in pair for pair in pairs)
        labelled = sum(theirs == each for _, theirs in pairs)
        if either:
            iou[f"iou/{each}"] = both / either
        if labelled:
            recall.append(both / labelled)
    return {
        "miou": sum(iou.values()) / len(iou),
        "pixel_accuracy": sum(ours == theirs for ours, theirs in pairs) / len(pairs),
        "class_accuracy": sum(recall) / len(recall),
        **iou,
    }


def test_agrees_with_loops_over_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randint(0, 5, (3, 6, 7), generator=generator)
    target = torch.randint(0, 5, (3, 6, 7), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = IGNORE
    assert scores(prediction, target, 5) == pytest.approx(naive(prediction, target, 5))


def test_an_absent_class_counts_for_nothing_and_a_wrongly_predicted_one_for_zero() -> None:
    found = scores(torch.tensor([[[0, 0, 2]]]), torch.tensor([[[0, 0, 0]]]), 4)
    assert found["miou"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["class_accuracy"] == pytest.approx(2 / 3)
    assert {name for name in found if "/" in name} == {"iou/0", "iou/2"}


def test_what_is_predicted_on_ignored_pixels_does_not_matter() -> None:
    target = torch.tensor([[[0, 1, IGNORE, IGNORE]]])
    first, second = (scores(torch.tensor([[[0, 1, *rest]]]), target, 2) for rest in ((0, 0), (1, 0)))
    assert first == second
    assert first["miou"] == 1.0


@pytest.mark.parametrize("ignore_index", [-100, -1, 0, 255])
def test_any_number_may_mean_ignored(ignore_index: int) -> None:
    found = scores(torch.tensor([[[2, 1, 1]]]), torch.tensor([[[2, 1, ignore_index]]]), 3, ignore_index)
    assert found["miou"] == 1.0


def test_batches_of_different_sizes_are_counted_together() -> None:
    generator = torch.Generator().manual_seed(1)
    counted = SegmentationMetrics(["0", "1", "2"])
    sizes = [(2, 4, 4), (1, 3, 5), (1, 9, 2)]
    pairs = [[torch.randint(0, 3, size, generator=generator) for _ in range(2)] for size in sizes]
    for prediction, target in pairs:
        counted.update(prediction.to(torch.uint8), target)
    together = [torch.cat([each.flatten() for each in side]) for side in zip(*pairs, strict=True)]
    assert counted.compute() == pytest.approx(naive(*together, 3))


@pytest.mark.parametrize("ignored", [0, 2])
def test_an_ignored_id_among_the_classes_is_no_class(ignored: int) -> None:
    scores = SegmentationMetrics(["a", "b", "c"], ignore_index=ignored)
    labels = [each for each in (0, 1, 2) if each != ignored]
    target = torch.tensor([[[*labels * 4, labels[0], ignored]]])
    prediction = torch.tensor([[[*labels * 4, ignored, labels[0]]]])
    scores.update(prediction, target)
    found = scores.compute()
    assert f"iou/{'abc'[ignored]}" not in found
    # One of five pixels of the first class was given the ignored id; what lies on ignored pixels counts for nothing.
    assert found["miou"] == pytest.approx((4 / 5 + 1) / 2)
    assert found["class_accuracy"] == pytest.approx((4 / 5 + 1) / 2)
