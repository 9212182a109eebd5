"""Levels found by name and refused by name; the mean over images against its loop."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional.levels import check_levels, level_pairs, weighted_mean

CHANNELS = {"p3": (4, 6), "body.p4": (4, 4)}


def shown(wide):
    return {"p3": torch.zeros(2, wide, 8, 6), "body.p4": torch.zeros(2, 4, 4, 3), "aux": torch.zeros(1)}


def test_pairs_are_those_announced_in_their_order():
    student, teacher = shown(4), shown(6)
    pairs = level_pairs(student, teacher, CHANNELS)
    expected = [(student[name], teacher[name]) for name in CHANNELS]
    assert all(a is c and b is d for (a, b), (c, d) in zip(pairs, expected, strict=True))


def test_refuses_and_names_the_level():
    student, teacher = shown(4), shown(6)
    with pytest.raises(UsageError, match="expected level 'p3' of the teacher, got aux: name the levels") as error:
        level_pairs(student, {"aux": teacher["aux"]}, CHANNELS)
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=r"level 'p3', got \(2, 4, 8, 6\) .* it was made for \(4, 6\)"):
        level_pairs(student, shown(5), CHANNELS)
    with pytest.raises(UsageError, match=r"level 'p3', got .* and \(2, 6, 6, 8\) of the teacher: .* resample"):
        level_pairs(student, {**teacher, "p3": teacher["p3"].mT}, CHANNELS)
    with pytest.raises(UsageError, match="expected a level, got none"):
        check_levels({})


def test_mean_equals_the_loop():
    values, importance = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 0.0, 1.0], requires_grad=True)
    values.requires_grad_()
    assert weighted_mean(values).item() == pytest.approx(7 / 3)
    assert weighted_mean(values, torch.tensor(0.5)).item() == pytest.approx(3.5 / 3)
    mean = weighted_mean(values, importance.double())
    mean.backward()
    assert mean.item() == pytest.approx(4.5 / 3)
    assert importance.grad is None
    assert mean.dtype == torch.float32
    with pytest.raises(UsageError, match="expected an importance of shape"):
        weighted_mean(values, torch.ones(2))
