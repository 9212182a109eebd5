"""CWD on Cityscapes: the card's numbers, and a small run on a miniature of Cityscapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import write_cityscapes
from pupil.recipes import cityscapes_cwd as recipe
from recipes.published import check


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_cityscapes(Path("cityscapes"), (40, 80))
    check(recipe, Path("cityscapes"), 19, "--student", "pupil:tiny", terms={"cwd"})


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert (options.method, options.settings) == ("cwd", ("weight=3", "temperature=4"))
    assert (options.steps, options.batch_size, options.size) == (40000, 8, "512x512")
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.01, 0.9, 5e-4)
    assert (options.scale, options.flip, options.base) == ("1:1", False, 1024)
