"""FRSKD on VOC: the card's numbers, its self-teacher, and a small run on a miniature of VOC."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.layouts import write_voc
from pupil.methods.frskd import frskd
from pupil.methods.settings import parse_settings
from pupil.models import load_model
from pupil.recipes import voc_frskd as recipe
from pupil.tasks.segmentation import SegmentationTask
from pupil.teachers import AuxiliaryTeacher
from recipes.published import check, epochs, settings


@pytest.mark.slow
def test_it_runs_in_small_and_distills_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_voc(tmp_path, (40, 56))
    words = ("--student", "pupil:tiny")
    shown = check(recipe, Path("VOCdevkit/VOC2012"), 21, *words, terms={"teacher", "kd", "attention"})
    assert [terms["attention"] > 0 for terms in shown] == [False, False, False, True]


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    numbers = {"temperature": 1, "weight": 1, "feature_weight": 50, "depth": 2, "start": 40 / 60}
    assert settings(options) == numbers
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.01, 0.9, 5e-4)
    assert (options.schedule, options.falls()) == ("step", (40 / 60,))
    assert (options.batch_size, options.accumulate, epochs(options, 1464)) == (32, 2, 60)
    assert (options.size, options.scale, options.base) == ("512x512", "0.5:2.0", 512)


def test_the_self_teacher_has_the_parameters_of_the_card() -> None:
    student = load_model(recipe.PUBLISHED.student.partition("?")[0], 21, kind="dense")
    task = SegmentationTask([*map(str, range(21))])
    plan = frskd(student, None, task, torch.zeros(1, 3, 64, 64), **parse_settings(frskd, recipe.PUBLISHED.settings))
    teacher = plan.distiller.teacher
    assert isinstance(teacher, AuxiliaryTeacher)
    assert sum(each.numel() for each in teacher.parameters()) == 200_981
    assert len(plan.distiller.student.layers) == 6
