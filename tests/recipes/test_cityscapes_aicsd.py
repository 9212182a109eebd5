"""AICSD on Cityscapes: the card's numbers, and a small run on a miniature of Cityscapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import write_cityscapes
from pupil.recipes import cityscapes_aicsd as recipe
from recipes.published import check, epochs


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_cityscapes(Path("cityscapes"), (40, 80))
    check(recipe, Path("cityscapes"), 19, "--student", "pupil:tiny", "--backbone", "stem", terms={"icsd", "pixel"})


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert epochs(options, 2975) == pytest.approx(200, abs=1e-3)
    settings = dict(each.split("=") for each in options.settings)
    assert float(settings["weight"]) == 9500 * options.batch_size
    assert float(settings["pixel_weight"]) == pytest.approx(10 * options.batch_size / 19)
    assert (options.learning_rate, options.head_rate, options.batch_size) == (0.01, 10.0, 6)
