"""BAKE on ImageNet: the card's numbers, and a small run on images sorted into folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.miniature import write_class_split
from pupil.recipes import imagenet_bake as recipe
from recipes.published import check, epochs, settings


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        write_class_split(Path("imagenet"), split, size=(40, 48))
    check(recipe, Path("imagenet"), 3, "--student", "pupil:resnet8", terms={"bake"})


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert settings(options) == {"temperature": 4, "ensemble_weight": 0.5, "positives": 1, "weight": 1}
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.4, 0.9, 5e-5)
    assert (options.schedule, options.warmup, options.nesterov) == ("cosine", 5 / 100, True)
    assert (options.batch_size, options.size, options.sync_batch_norm) == (512, "224x224", True)


def test_100_epochs_of_anchors_are_200_of_images() -> None:
    assert epochs(recipe.PUBLISHED, 1_281_167) == pytest.approx(200, abs=1e-3)
