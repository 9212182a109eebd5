"""AICSD on VOC: the card's numbers, and a small run on a miniature of VOC."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import write_voc
from pupil.recipes import voc_aicsd as recipe
from recipes.published import check, epochs


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_it_runs_in_small(workplace: Path) -> None:
    write_voc(workplace, (40, 56))
    check(
        recipe, Path("VOCdevkit/VOC2012"), 21, "--student", "pupil:tiny", "--backbone", "stem", terms={"icsd", "pixel"}
    )


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert epochs(options, 1464) == 120
    settings = dict(each.split("=") for each in options.settings)
    assert float(settings["weight"]) == 9500 * options.batch_size
    assert float(settings["pixel_weight"]) == pytest.approx(10 * options.batch_size / 21)
    assert (options.learning_rate, options.head_rate, options.schedule) == (0.007, 10.0, "poly")
    assert (options.momentum, options.weight_decay) == (0.9, 5e-4)
