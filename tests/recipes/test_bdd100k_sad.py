"""SAD on BDD100K: the card's numbers, and a small run on a miniature of the authors' lists and masks."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.lanes.lane_layouts import write_bdd100k_layout
from pupil.recipes import bdd100k_sad as recipe
from recipes.published import check, settings


@pytest.mark.slow
def test_it_runs_in_small_and_distills_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bdd100k_layout(Path("bdd100k"))
    words = ("--student", "pupil:lane-tiny?existence=false")
    shown = check(recipe, Path("bdd100k"), 2, *words, terms={"sad_block2", "sad_block3"})
    assert [terms["sad_block2"] > 0 for terms in shown] == [False, False, False, True]


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert settings(options) == {"temperature": 1, "weight": 0.1, "start": 40 / 60}
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.01, 0.9, 1e-4)
    assert (options.schedule, options.nesterov, options.batch_size, options.steps) == ("poly", True, 12, 60_000)
    assert (options.size, options.existence_weight, options.top) == ("360x640", 0.0, 0.0)
