"""BAKE on CIFAR-100: the card's numbers, and a small run on images sorted into folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.miniature import write_class_split
from pupil.models import load_model
from pupil.recipes import cifar100_bake as recipe
from recipes.published import check, epochs, settings


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        write_class_split(tmp_path, split, size=(32, 32))
    shown = check(recipe, Path(), 3, "--format", "folder", "--student", "pupil:resnet8", terms={"bake"})
    assert all(terms["bake"] > 0 for terms in shown)


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert settings(options) == {"temperature": 4, "ensemble_weight": 0.5, "positives": 3, "weight": 1}
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.1, 0.9, 1e-4)
    assert (options.schedule, options.falls(), options.batch_size) == ("step", (0.5, 0.75), 128)


def test_200_epochs_of_anchors_are_800_of_images() -> None:
    anchors = 1 + settings(recipe.PUBLISHED)["positives"]
    assert epochs(recipe.PUBLISHED, 50_000) == 200 * anchors
    assert recipe.PUBLISHED.steps == 78_125 * anchors


def test_the_network_is_the_released_one() -> None:
    student = load_model(recipe.PUBLISHED.student, 100, kind="whole")
    assert sum(each.numel() for each in student.parameters()) == 11_217_444
