"""Weights from a teacher's task loss: each granularity, broken losses, and no waiting for a GPU."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional import importance
from pupil.functional.importance import adaptive_weights, importance_of_levels, teacher_task_loss


@pytest.mark.parametrize("shape", [(), (3,), (2, 1), (2, 3)])
def test_weights_of_any_shape(shape):
    task_loss = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    weights = adaptive_weights(task_loss, 0.5)
    assert weights.shape == shape
    assert not weights.requires_grad
    expected = [math.exp(-0.5 * value) for value in task_loss.flatten().tolist()]
    assert weights.flatten().tolist() == pytest.approx(expected)


def test_half_precision_and_the_ends():
    weights = adaptive_weights(torch.tensor([0.0, 6e4], dtype=torch.float16))
    assert weights.dtype == torch.float32
    assert weights.tolist() == [1.0, 0.0]
    assert adaptive_weights(torch.tensor([7.0]), 0.0) == 1


def test_a_broken_loss_counts_nothing_and_is_told_once():
    broken = torch.tensor([math.nan, math.inf, 1.0])
    with pytest.warns(UserWarning, match="not finite: it counts with weight 0"):
        weights = adaptive_weights(broken)
    assert weights[:2].tolist() == [0.0, 0.0]
    assert weights[2] > 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            adaptive_weights(broken)
    assert len(caught) == 1


def test_refuses_what_would_trust_a_bad_teacher_more():
    with pytest.raises(UsageError, match="task loss of at least 0, got a negative one"):
        adaptive_weights(torch.tensor([0.5, -0.1]))
    with pytest.raises(UsageError, match="alpha of at least 0"):
        adaptive_weights(torch.tensor([0.5]), -1.0)


def test_answers_of_a_gpu_are_read_in_order_once_they_are_there(monkeypatch):
    there = {"early": True, "late": False}
    asked = [
        (lambda: there["early"], torch.tensor([False, False])),
        (lambda: there["late"], torch.tensor([True, False])),
    ]
    monkeypatch.setattr(importance, "_ASKED", asked)
    importance._read()
    assert len(asked) == 1
    there["late"] = True
    with pytest.warns(UserWarning, match="not finite"):
        importance._read()
    assert asked == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_not_waited_for():
    task_loss = torch.tensor([math.nan, 1.0], device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        weights = adaptive_weights(task_loss)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    assert weights.tolist()[0] == 0
    with pytest.warns(UserWarning, match="not finite"):
        adaptive_weights(task_loss[1:])
    importance._ASKED.clear()


def test_granularities_equal_the_loop():
    torch.manual_seed(0)
    levels, shared = torch.rand(2, 3), torch.rand(3)
    each = [[levels[level, image] + shared[image] for image in range(3)] for level in range(2)]
    images = [levels[0, image] + levels[1, image] + shared[image] for image in range(3)]
    expected = {
        "level_image": torch.tensor(each),
        "level": torch.tensor([[sum(row) / 3] for row in each]),
        "image": torch.tensor(images),
        "batch": sum(images) / 3,
    }
    for granularity, loss in expected.items():
        torch.testing.assert_close(teacher_task_loss(levels, shared, granularity=granularity), loss)


def test_refuses_losses_without_levels():
    with pytest.raises(UsageError, match=r"expected losses \(L, N\) by level"):
        teacher_task_loss(torch.rand(3))
    with pytest.raises(UsageError, match=r"shared part \(N,\), got \(2, 3\) and \(2,\)"):
        teacher_task_loss(torch.rand(2, 3), torch.rand(2))
    with pytest.raises(UsageError, match="unknown granularity 'images': did you mean"):
        teacher_task_loss(torch.rand(2, 3), granularity="images")


def test_rows_of_levels():
    row = torch.tensor([1.0, 2.0, 3.0])
    assert [each.tolist() for each in importance_of_levels(torch.tensor(0.5), 2, 3)] == [[0.5], [0.5]]
    assert [each.tolist() for each in importance_of_levels(row, 2, 3)] == [[1.0, 2.0, 3.0]] * 2
    assert [each.tolist() for each in importance_of_levels(row[:2, None], 2, 3)] == [[1.0], [2.0]]
    assert [each.tolist() for each in importance_of_levels(row[None], 2, 3)] == [[1.0, 2.0, 3.0]] * 2
    assert [each.tolist() for each in importance_of_levels(row[:1, None], 2, 3)] == [[1.0]] * 2
    assert [each.tolist() for each in importance_of_levels(row.expand(2, -1), 2, 3)] == [[1.0, 2.0, 3.0]] * 2
    # As many levels as images: one dimension is always images.
    assert [each.tolist() for each in importance_of_levels(row, 3, 3)] == [[1.0, 2.0, 3.0]] * 3
    with pytest.raises(UsageError, match=r"importance\[:, None\] for one a level"):
        importance_of_levels(torch.ones(2), 2, 3)
