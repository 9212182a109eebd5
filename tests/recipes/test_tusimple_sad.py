"""SAD on TuSimple: the card's numbers, and a small run on a miniature of TuSimple."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.lanes.lane_layouts import write_tusimple_layout
from pupil.recipes import tusimple_sad as recipe
from recipes.published import check, settings


@pytest.mark.slow
def test_it_runs_in_small_and_distills_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tusimple_layout(Path("tusimple"))
    shown = check(recipe, Path("tusimple"), 7, "--student", "pupil:lane-tiny", terms={"sad_block2", "sad_block3"})
    assert [terms["sad_block2"] > 0 for terms in shown] == [False, False, False, True]


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert settings(options) == {"temperature": 1, "weight": 0.1, "start": 1200 / 1800}
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.01, 0.9, 1e-4)
    assert (options.schedule, options.nesterov, options.batch_size, options.steps) == ("poly", True, 12, 1800)
    assert (options.size, options.top, options.threshold, options.smoothing) == ("368x640", 0.0, 0.2, 5)
