"""AID on KITTI, two stages: the card's numbers, and a small run on a miniature of KITTI."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.detection.box_layouts import write_kitti_layout
from pupil.losses.fbkd import SETTINGS
from pupil.recipes import kitti_aid_fasterrcnn as recipe
from recipes.published import check, epochs


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_kitti_layout(Path("kitti"))
    shown = check(recipe, Path("kitti"), 3, "--student", "pupil:tiny-fasterrcnn?min_size=64&max_size=96", terms={"aid"})
    assert all(terms["aid"] > 0 for terms in shown)


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    chosen = dict(each.split("=") for each in options.settings)
    assert (chosen["alpha"], chosen["weight"], chosen["reduction"]) == ("0.1", "1", "batch_norm")
    factors = SETTINGS[chosen["setting"]]
    assert (factors.temperature, factors.channel_mask, factors.spatial_weight) == (0.5, True, 8e-3)
    assert (factors.feature_weight, factors.channel_weight, factors.relation_weight) == (4e-5, 8e-3, 4e-5)
    assert options.learning_rate == pytest.approx(0.02 * options.batch_size / 16)
    assert options.warmup * options.steps == pytest.approx(500)
    assert epochs(options, 5985) == pytest.approx(12, abs=2e-3)
