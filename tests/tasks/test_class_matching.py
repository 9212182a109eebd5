"""Classes that two networks name differently."""

from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.tasks.class_matching import matching, names_of, selected

NUMBERED = ["class 0", "class 1", "class 2"]


@pytest.mark.parametrize(
    ("theirs", "ours", "channels"),
    [
        (["road", "car"], ["road", "car"], None),
        (["road", "car"], ["car", "road"], (1, 0)),
        (["road", "car", "sky"], ["sky", "car"], (2, 1)),
        # Numbers stand for positions, until both sides have the same ones.
        (NUMBERED, ["road", "car", "sky"], None),
        (["road", "car", "sky"], NUMBERED, None),
        (NUMBERED, ["class 0", "class 2", "class 1"], (0, 2, 1)),
    ],
)
def test_by_name_or_by_number(theirs: list[str], ours: list[str], channels: tuple[int, ...] | None) -> None:
    assert matching(theirs, ours) == channels


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        (["road", "car"], ["road", "sky", "tree"], "the data's 3 classes, got none for sky, tree among its road, car"),
        (["a", "b", "c", "d", "e", "f"], ["g", "a"], r"got none for g among its a, b, c, d, e, \.\.\.: train"),
        (NUMBERED, ["road", "car"], "2 classes, got 3, and its classes have only numbers"),
        (NUMBERED, NUMBERED[:2], "2 classes, got 3, and its classes have only numbers"),
        (["road", "car"], NUMBERED, "3 classes, got 2, and the data's classes have only numbers"),
    ],
)
def test_missing_classes_are_named(theirs: list[str], ours: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        matching(theirs, ours)


@pytest.mark.parametrize("value", [3, [], ["road", 1], "road", None])
def test_only_names_are_names(value: object) -> None:
    model = torch.nn.Identity()
    model.classes = value
    assert names_of(model) is None


def test_the_channels_are_looked_up_once() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    theirs, ours = ("road", "car", "sky"), ("sky", "road")
    with torch.inference_mode():
        selected(logits.detach(), theirs, ours)
    chosen = selected(logits, theirs, ours)
    assert torch.equal(chosen, logits[:, [2, 0]])
    chosen.sum().backward()
    assert logits.grad[:, 1].abs().sum() == 0
    # A network that contradicts its own names is left for the task to refuse.
    assert selected(logits[:, :2], theirs, ours).shape[1] == 2
