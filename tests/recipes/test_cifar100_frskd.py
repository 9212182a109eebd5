"""FRSKD on CIFAR-100: the card's numbers, its self-teacher, and a small run on images sorted into folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.miniature import write_class_split
from pupil.methods.frskd import frskd
from pupil.methods.settings import parse_settings
from pupil.models import load_model
from pupil.recipes import cifar100_frskd as recipe
from pupil.tasks.classification import ClassificationTask
from pupil.teachers import AuxiliaryTeacher
from recipes.published import check, epochs, settings


@pytest.mark.slow
def test_it_runs_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        write_class_split(tmp_path, split, size=(32, 32))
    words = ("--format", "folder", "--student", "pupil:resnet8")
    check(recipe, Path(), 3, *words, terms={"teacher", "kd", "attention"})


def test_the_numbers_are_those_of_the_card() -> None:
    options = recipe.PUBLISHED
    assert settings(options) == {"temperature": 4, "weight": 2, "feature_weight": 100, "width": 2, "depth": 2}
    assert (options.learning_rate, options.momentum, options.weight_decay) == (0.1, 0.9, 1e-4)
    assert (options.schedule, options.falls(), options.batch_size) == ("step", (100 / 200, 150 / 200), 128)
    assert epochs(options, 50_000) == 200


def test_student_and_self_teacher_have_the_parameters_of_the_card() -> None:
    student = load_model(recipe.PUBLISHED.student, 100, kind="whole")
    task = ClassificationTask([*map(str, range(100))])
    plan = frskd(student, None, task, torch.zeros(1, 3, 32, 32), **parse_settings(frskd, recipe.PUBLISHED.settings))
    teacher = plan.distiller.teacher
    assert isinstance(teacher, AuxiliaryTeacher)
    counts = [sum(each.numel() for each in network.parameters()) for network in (student, teacher)]
    assert counts == [11_220_132, 6_375_794]
    assert list(plan.distiller.student.layers) == ["stage1", "stage2", "stage3", "stage4"]
