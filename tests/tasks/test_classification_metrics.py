from __future__ import annotations

import pytest
import torch

from pupil.tasks.classification_metrics import ClassificationMetrics


def test_top_five_counts_where_there_are_more_than_five_classes() -> None:
    scores = ClassificationMetrics("abcdefg")
    ranked = torch.tensor([[7.0, 6, 5, 4, 3, 2, 1]]).softmax(dim=1).repeat(4, 1)
    scores.update(ranked, torch.tensor([0, 4, 5, 6]))
    found = scores.compute()
    assert (found["accuracy"], found["top5_accuracy"]) == (0.25, 0.5)
    assert "top5_accuracy" not in ClassificationMetrics("abcde").others


def test_calibration_error_by_hand() -> None:
    """Two bins: sure at 0.9 and right half of the time, 0.4 off; at 0.6 always right, 0.4 off."""
    scores = ClassificationMetrics("ab")
    scores.update(torch.tensor([[0.9, 0.1], [0.9, 0.1]]), torch.tensor([0, 1]))
    scores.update(torch.tensor([[0.4, 0.6], [0.4, 0.6]]), torch.tensor([1, 1]))
    assert scores.compute()["calibration_error"] == pytest.approx(0.4, abs=1e-6)


def test_classes_count_alike_and_one_without_images_for_nothing() -> None:
    scores = ClassificationMetrics(["cat", "dog", "owl"])
    scores.update(torch.eye(3)[[0, 0, 0, 1]], torch.tensor([0, 0, 1, 1]))
    found = scores.compute()
    assert (found["accuracy"], found["class_accuracy"]) == (0.75, 0.75)
    assert (found["accuracy/cat"], found["accuracy/dog"]) == (1.0, 0.5)
    assert "accuracy/owl" not in found
    many = ClassificationMetrics([str(each) for each in range(101)])
    many.update(torch.eye(101), torch.arange(101))
    assert not any("/" in name for name in many.compute())
