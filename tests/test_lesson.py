from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pupil.errors import UsageError
from pupil.lesson import (
    Activations,
    Lesson,
    Resize,
    dense_outputs,
    features,
    outputs,
    same_size,
    supervised,
    valid_positions,
)


def maps(channels: int, size: int) -> Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(size))


def lesson(student: Tensor, teacher: Tensor | None, target: Any = None) -> Lesson:
    """Student and teacher show one tensor each, as output and as the feature "deep"."""
    shown = [None if each is None else Activations(each, {"deep": each}) for each in (student, teacher)]
    return Lesson(None, target, *shown)  # type: ignore[arg-type]


def test_supervised_and_outputs_pass_on_what_was_shown() -> None:
    student, teacher, target = maps(3, 4), maps(3, 8), torch.zeros(2, 4, 4)
    assert supervised(lesson(student, None, target)) == (student, target)
    assert outputs(lesson(student, teacher)) == (student, teacher)


@pytest.mark.parametrize("inputs", [outputs, dense_outputs(), features("deep")])
def test_a_lesson_without_teacher_is_refused(inputs: Callable[[Lesson], Any]) -> None:
    with pytest.raises(UsageError, match="give the Distiller a teacher"):
        inputs(lesson(maps(3, 4), None))


def test_a_lesson_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        lesson(maps(3, 4), None).progress = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("inputs", [supervised, dense_outputs(11, "student"), features("deep", "stem", "teacher")])
def test_inputs_can_be_pickled(inputs: Callable[[Lesson], Any]) -> None:
    copy = pickle.loads(pickle.dumps(inputs))
    assert getattr(copy, "keywords", copy) == getattr(inputs, "keywords", inputs)


@pytest.mark.parametrize(
    ("resize", "sizes"),
    [("refuse", (4, 8)), ("student", (8, 8)), ("teacher", (4, 4)), ("smaller", (4, 4))],
)
def test_same_size_follows_its_policy(resize: Resize, sizes: tuple[int, int]) -> None:
    small, large = maps(2, 4), maps(3, 8)
    for first, second, expected in ((small, large, sizes), (small, small, (4, 4))):
        pair = same_size(first, second, resize)
        assert tuple(each.shape[-1] for each in pair) == expected
    # "smaller" does not care whose map is the larger one.
    assert [each.shape[-1] for each in same_size(large, small, "smaller")] == [4, 4]


def test_same_size_resamples_as_torch_does_and_leaves_the_other_alone() -> None:
    student, teacher = maps(2, 4), maps(3, 8)
    resampled, same = same_size(student, teacher, "student")
    assert same is teacher
    assert torch.equal(resampled, F.interpolate(student, (8, 8), mode="bilinear", align_corners=False))


def test_same_size_carries_gradients_to_the_student() -> None:
    student = maps(2, 8).requires_grad_()
    same_size(student, maps(2, 4), "smaller")[0].sum().backward()
    assert torch.allclose(student.grad.sum(), torch.tensor(2 * 2 * 4 * 4.0))


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown resize 'small': did you mean smaller"):
        same_size(maps(2, 4), maps(2, 8), "small")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_resampling_is_precise_under_autocast(dtype: torch.dtype) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        resampled, _ = same_size(maps(2, 4).to(dtype), maps(2, 8), "student")
    assert resampled.dtype == torch.promote_types(dtype, torch.float32)


def test_features_pick_one_layer_of_each() -> None:
    student, teacher = Activations(None, {"layer3": maps(2, 4)}), Activations(None, {"stage.2": maps(3, 8)})
    both = Lesson(None, None, student, teacher)
    assert features("layer3", "stage.2")(both) == (student.features["layer3"], teacher.features["stage.2"])
    assert [each.shape[-1] for each in features("layer3", "stage.2", "teacher")(both)] == [4, 4]


def test_features_that_are_no_maps_are_left_as_they_are() -> None:
    student, teacher = torch.rand(2, 5), torch.rand(2, 7)
    assert features("deep", resize="smaller")(lesson(student, teacher)) == (student, teacher)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [("stem", "deep", "among the features of the student, got deep"), ("deep", "stem", "of the teacher, got deep")],
)
def test_a_layer_that_was_not_tapped_is_named(student: str, teacher: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        features(student, teacher)(lesson(maps(2, 4), maps(2, 4)))


def test_dense_outputs_bring_logits_and_mask_to_one_grid() -> None:
    target = torch.zeros(2, 8, 8, dtype=torch.long)
    target[:, :2, :2] = 255
    student, teacher, valid = dense_outputs(255)(lesson(maps(3, 8), maps(3, 4), target))
    assert student.shape == teacher.shape == (2, 3, 4, 4)
    expected = torch.ones(2, 4, 4, dtype=torch.bool)
    expected[:, 0, 0] = False
    assert torch.equal(valid, expected)


def test_without_an_ignore_index_every_position_counts() -> None:
    assert dense_outputs()(lesson(maps(3, 4), maps(3, 4)))[2] is None


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_mask_takes_the_centre_of_each_cell(scale: int) -> None:
    drawn = torch.randint(0, 3, (2, 12, 12), generator=torch.Generator().manual_seed(0))
    size = torch.Size([12 // scale, 12 // scale])
    valid = valid_positions(drawn, 2, size)
    assert torch.equal(valid, drawn[:, scale // 2 :: scale, scale // 2 :: scale] != 2)


def test_where_nobody_labelled_the_teacher_counts_everywhere() -> None:
    """Images with labels, with one label alone, and with none, the last on the grid of the labels and on a smaller."""
    target = torch.full((3, 8, 8), 255)
    target[0], target[1, 2, 2] = 1, 1
    expected = torch.zeros(3, 8, 8, dtype=torch.bool)
    expected[0], expected[1, 2, 2], expected[2] = True, True, True
    assert torch.equal(valid_positions(target, 255, torch.Size([8, 8])), expected)
    smaller = valid_positions(target, 255, torch.Size([4, 4]))
    assert smaller.flatten(1).sum(1).tolist() == [16, 0, 16]  # one labelled pixel lies at no centre of a cell


def test_no_value_is_asked_for_on_the_way() -> None:
    """On the meta device there are shapes and no values: whatever needs one, as a synchronisation does, fails there."""
    target = torch.zeros(3, 8, 8, dtype=torch.long, device="meta")
    assert valid_positions(target, 255, torch.Size([4, 4])).shape == (3, 4, 4)
