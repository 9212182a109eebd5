"""StructKD on Cityscapes: the card's numbers, its weights in the authors' normalisation, and a small run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from data.layouts import write_cityscapes
from pupil.losses.kd import kd_loss
from pupil.recipes import cityscapes_structkd_pixel_pairwise as recipe
from recipes.published import check


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_cityscapes(Path("cityscapes"), (40, 80))
    check(recipe, Path("cityscapes"), 19, "--student", "pupil:tiny", terms={"pairwise", "pixel"})


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert (options.steps, options.batch_size, options.size, options.scale) == (40000, 8, "512x512", "0.7:2.1")
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.01, 0.9, 5e-4)
    assert (options.optimizer, options.schedule, options.flip) == ("sgd", "poly", True)
    assert options.settings == ("weight=0.5", "pixel_weight=80", "pool=max", "patch=0.5", "norm_gradient=false")


def test_the_pixel_weight_pulls_as_hard_as_the_authors() -> None:
    """Theirs: 10 times the soft cross-entropy, summed over images, averaged over positions."""
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(8, 19, 5, 5, generator=generator, dtype=torch.float64)
    ours, theirs = (torch.zeros_like(teacher).requires_grad_() for _ in range(2))
    (80 * kd_loss(ours, teacher)).backward()
    (10 * -(teacher.softmax(1) * F.log_softmax(theirs, 1)).sum() / 25).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
