"""Students and teachers that a run may name, and their classes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from pupil.errors import UsageError
from pupil.models import load_model
from pupil.recipes.networks import load_student, load_teacher
from pupil.recipes.options import Segmentation
from pupil.run import Run
from pupil.tasks.segmentation import SegmentationTask


def test_a_teacher_has_to_know_the_classes(teacher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = Segmentation(teacher=str(teacher))
    assert load_teacher(Segmentation(), SegmentationTask(["a", "b"])) is None
    assert load_teacher(options, SegmentationTask(["class 0", "class 1", "class 2"])) is not None
    # Its classes are numbered only: they may have been named since.
    assert load_teacher(options, SegmentationTask(["road", "sky", "tree"])) is not None
    assert capsys.readouterr().out == ""
    with pytest.raises(UsageError, match=r"teacher .*: expected a network of the data's 2 classes, got 3, and its "):
        load_teacher(options, SegmentationTask(["class 0", "class 1"]))
    for spec in ("pupil:tiny", "torchvision:fcn_resnet50?weights=imagenet"):
        with pytest.raises(UsageError, match=r"expected a trained network, got .*, whose classifier is random"):
            load_teacher(Segmentation(teacher=spec), SegmentationTask(["road", "sky", "tree"]))


def test_a_teacher_of_more_classes_or_in_another_order_teaches_by_name(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = shutil.copytree(teacher, tmp_path / "named")
    Run(named).update(classes=["road", "sky", "tree"])
    options = Segmentation(teacher=str(named))
    image, own = torch.rand(2, 3, 32, 48), SegmentationTask(["road", "sky", "tree"])
    whole = own.call(load_model(str(named), 3).eval(), image).output
    for names, channels in [(["tree", "road"], [2, 0]), (["tree", "road", "sky"], [2, 0, 1])]:
        task = SegmentationTask(names)
        loaded = load_teacher(options, task)
        assert torch.equal(task.call(loaded.eval(), image).output, whole[:, channels])
        assert f"{len(names)} of its 3 classes are the data's, by name" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"teacher .*: .* got none for car, bus among its road, sky, tree: train"):
        load_teacher(options, SegmentationTask(["road", "car", "bus"]))


def test_a_student_from_a_run_keeps_its_classes(teacher: Path, tmp_path: Path) -> None:
    named = shutil.copytree(teacher, tmp_path / "named")
    Run(named).update(classes=["road", "sky", "tree"])
    options = Segmentation(student=str(named))
    assert load_student(options, SegmentationTask(["road", "sky", "tree"])).classes == ("road", "sky", "tree")
    assert load_student(Segmentation(student=str(teacher)), SegmentationTask(["a", "b", "c"])).classes == (*"abc",)
    with pytest.raises(UsageError, match="expected a student of the data's classes in their order"):
        load_student(options, SegmentationTask(["tree", "road", "sky"]))
    with pytest.raises(UsageError, match="expected 2 classes, got 3 in the run"):
        load_student(options, SegmentationTask(["tree", "road"]))
    with pytest.raises(UsageError, match="got none for car among its road, sky, tree"):
        load_student(options, SegmentationTask(["road", "sky", "car"]))
