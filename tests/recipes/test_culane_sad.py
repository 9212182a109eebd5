"""SAD on CULane: the card's numbers, and a small run on a miniature of CULane."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.lanes.lane_layouts import write_culane_layout
from pupil.recipes import culane_sad as recipe
from recipes.published import check, settings


@pytest.mark.slow
def test_it_runs_in_small_and_distills_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_culane_layout(Path("CULane"))
    shown = check(recipe, Path("CULane"), 5, "--student", "pupil:lane-tiny", terms={"sad_block2", "sad_block3"})
    assert [terms["sad_block3"] > 0 for terms in shown] == [False, False, False, True]


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert settings(options) == {"temperature": 1, "weight": 0.1, "start": 40 / 60}
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.01, 0.9, 1e-4)
    assert (options.schedule, options.nesterov, options.batch_size, options.steps) == ("poly", True, 12, 60_000)
    assert (options.background_weight, options.existence_weight, options.iou_weight) == (0.4, 0.1, 0.1)
    assert (options.threshold, options.smoothing) == (0.3, 9)
    assert (options.size, round(options.top * 590), options.rotation) == ("208x976", 240, 1.0)
