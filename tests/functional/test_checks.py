from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.functional.checks import (
    check_channels,
    check_choice,
    check_positions,
    check_same_shape,
    check_temperature,
    check_valid,
)


@pytest.mark.parametrize(
    ("student", "teacher", "fix"),
    [
        ((2, 3, 4, 4), (2, 3, 4, 8), "resize="),
        ((2, 3, 4, 4), (2, 5, 4, 4), "add an adapter"),
        ((2, 3, 4, 4), (2, 5, 8, 8), "resize="),
        ((2, 3, 4, 4), (4, 3, 4, 4), "the same batch"),
        ((2, 3), (2, 3, 4, 4), "the same kind of output"),
    ],
)
def test_names_both_shapes_and_the_fix(student, teacher, fix):
    with pytest.raises(UsageError, match=fix) as raised:
        check_same_shape(torch.zeros(student), torch.zeros(teacher), channels_fix="add an adapter")
    assert str(student) in str(raised.value)
    assert str(teacher) in str(raised.value)


def test_passes_what_fits():
    logits = torch.zeros(2, 3, 4, 4)
    check_same_shape(logits, logits, channels_fix="")
    check_valid(None, logits)
    check_valid(torch.ones(2, 4, 4, dtype=torch.bool), logits)
    check_valid(torch.ones(2, dtype=torch.bool), logits[:, :, 0, 0])
    check_channels(logits, at_least=3, because="")
    check_positions(logits)
    check_temperature(0.1)
    check_choice("colour", "red", ["red"])


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(UsageError, match="above zero"):
        check_temperature(temperature)


@pytest.mark.parametrize("logits", [torch.zeros(3), torch.zeros(2, 1)])
def test_refuses_too_few_classes_with_the_reason(logits):
    with pytest.raises(UsageError, match=r"K >= 2, got .*: nothing to compare"):
        check_channels(logits, at_least=2, because="nothing to compare")


def test_lists_the_close_names():
    with pytest.raises(UsageError, match="unknown colour 'rd': did you mean red"):
        check_choice("colour", "rd", ["red", "blue"])
