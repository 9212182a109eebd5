"""AID on KITTI, one stage: the card's numbers, the split's images, and a small run on a miniature of KITTI."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.detection.box_layouts import write_kitti_layout
from pupil.losses.fbkd import SETTINGS
from pupil.recipes import kitti_aid_fcos as recipe
from recipes.published import check, epochs

TRAINING_IMAGES = 5985


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_kitti_layout(Path("kitti"))
    shown = check(recipe, Path("kitti"), 3, "--student", "pupil:tiny-fcos?min_size=64&max_size=96", terms={"aid"})
    assert all(terms["aid"] > 0 for terms in shown)


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    chosen = dict(each.split("=") for each in options.settings)
    assert (chosen["alpha"], chosen["weight"], chosen["granularity"]) == ("0.1", "1", "level")
    factors = SETTINGS[chosen["setting"]]
    assert (factors.temperature, factors.channel_mask, factors.spatial_weight) == (0.1, True, 2.4e-2)
    assert (factors.feature_weight, factors.channel_weight, factors.relation_weight) == (5.6e-4, 2.4e-2, 4.9e-4)
    assert options.learning_rate == pytest.approx(0.01 * options.batch_size / 16)
    assert (options.optimizer, options.momentum, options.weight_decay) == ("sgd", 0.9, 1e-4)
    assert (options.schedule, options.falls()) == ("step", (8 / 12, 11 / 12))
    assert options.warmup * options.steps == pytest.approx(800)
    assert epochs(options, TRAINING_IMAGES) == pytest.approx(12, abs=2e-3)
    assert (options.flip, options.colour, options.zoom_out, options.crop) == (True, 0.0, 1.0, False)
    assert options.student.endswith("min_size=800&max_size=1333")
