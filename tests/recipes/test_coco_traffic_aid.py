"""AID on COCO's traffic: the card's numbers, and a small run on a miniature of COCO."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.detection.box_layouts import write_traffic_layout
from pupil.recipes import coco_traffic_aid as recipe
from pupil.run import Run
from recipes.published import check, epochs


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faster_coco_eval")
    monkeypatch.chdir(tmp_path)
    write_traffic_layout(Path("coco"))
    check(recipe, Path("coco"), 13, "--student", "pupil:tiny-fcos?min_size=64&max_size=96", terms={"aid"})
    assert Run("student").record["metric"] == "coco"


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert (options.method, options.format) == ("aid", "coco-traffic")
    assert "setting=aid_one_stage" in options.settings
    assert options.learning_rate == pytest.approx(0.01 * options.batch_size / 16)
    assert options.warmup * options.steps == pytest.approx(800)
    assert epochs(options, 25_000) == 12
