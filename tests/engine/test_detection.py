"""Detectors in the training loop: as torchvision trains them where nothing is distilled, and in two processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine import launched_detection
from engine.launched_detection import DATA, METHODS, OPTIONS, trainer
from pupil.data.batches import Batches
from pupil.run import Run
from tasks.detection.detectors import KINDS, detector

LAUNCHED = Path(launched_detection.__file__)
SILENT = {"weight": 0.0}
DRAWN = 8  # samples an image, fewer than there are


def state_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in model.state_dict().items()}


def assert_equal_states(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert [name for name, each in ours.items() if not torch.equal(each, theirs[name])] == []


def drawing(kind: str, seed: int = 0) -> Any:
    """A detector that trains on fewer samples than it finds, so that what it draws matters."""
    model = detector(kind, seed)
    if kind == "faster_rcnn":
        model.rpn.fg_bg_sampler.batch_size_per_image = DRAWN
        model.roi_heads.fg_bg_sampler.batch_size_per_image = DRAWN
    return model


def by_hand(model: nn.Module) -> None:
    """The loop of whoever trains a torchvision detector without this library."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-2)
    model.train()
    torch.manual_seed(0)
    for items in Batches(len(DATA), OPTIONS["batch_size"], steps=OPTIONS["steps"], seed=0):
        images, targets = zip(*(DATA[index] for index, _ in items), strict=True)
        losses = model(list(images), list(targets))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()


@pytest.mark.parametrize("method", ["none", "aid"])
@pytest.mark.parametrize("kind", KINDS)
def test_without_distillation_weights_are_those_of_a_loop_by_hand(tmp_path: Path, kind: str, method: str) -> None:
    plain, student = drawing(kind), drawing(kind)
    start = state_of(plain)
    by_hand(plain)
    if method == "aid":
        trainer(tmp_path / "run", "aid", student, drawing(kind, 1), settings=SILENT).fit()
    else:
        trainer(tmp_path / "run", "none", student).fit()
    assert_equal_states(state_of(student), state_of(plain))
    assert not torch.equal(start["backbone.stem.0.weight"], plain.state_dict()["backbone.stem.0.weight"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_teacher_is_bit_identical_after_aid(tmp_path: Path, kind: str) -> None:
    student, teacher = drawing(kind), drawing(kind, 1).eval()
    before, modes = state_of(teacher), [module.training for module in teacher.modules()]
    start = state_of(student)
    trainer(tmp_path / "run", "aid", student, teacher, settings={"weight": 1.0}).fit()
    assert_equal_states(state_of(teacher), before)
    assert [module.training for module in teacher.modules()] == modes
    assert any(name.endswith("running_mean") for name in before)
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not torch.equal(student.state_dict()["backbone.stem.1.running_mean"], start["backbone.stem.1.running_mean"])


def sampled(folder: Path, method: str, **settings: Any) -> list[Tensor]:
    """The proposals that a student draws in each step, image by image."""
    student = drawing("faster_rcnn")
    teacher = None if method == "none" else drawing("faster_rcnn", 1)
    ours = trainer(folder, method, student, teacher, settings=settings)
    found: list[Tensor] = []
    student.roi_heads.box_roi_pool.register_forward_pre_hook(lambda module, received: found.extend(received[1]))
    ours.fit()
    return found


def test_what_a_student_draws_does_not_depend_on_its_teacher(tmp_path: Path) -> None:
    plain = sampled(tmp_path / "none", "none")
    asked = sampled(tmp_path / "aid", "aid", **SILENT)
    assert len(plain) == len(asked) == OPTIONS["steps"] * OPTIONS["batch_size"]
    assert all(torch.equal(*pair) for pair in zip(plain, asked, strict=True))
    assert {len(each) for each in plain} == {DRAWN}
    # The first step is taken before the teacher has moved anything.
    first = sampled(tmp_path / "pulled", "aid", weight=1.0)[: OPTIONS["batch_size"]]
    assert all(torch.equal(*pair) for pair in zip(plain, first, strict=False))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Each method in two processes, and what each of them ended with."""
    folder = tmp_path_factory.mktemp("shared")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(LAUNCHED.parents[1])}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", LAUNCHED, folder]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return folder, [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_keep_one_student_and_one_loss(shared: tuple[Path, list[Any]], method: str) -> None:
    folder, found = shared
    first, second = (each[method] for each in found)
    # Each has seen images of its own.
    assert all(not torch.equal(value, second["terms"][name]) for name, value in first["terms"].items())
    assert_equal_states(first["before"], second["before"])
    assert_equal_states(first["after"], second["after"])
    own = {name for name in first["after"] if name.startswith("losses.")}
    assert {"adapter", "student_block", "teacher_block"} <= {part for name in own for part in name.split(".")}
    still = {name for name, value in first["after"].items() if torch.equal(value, first["before"][name])}
    assert still == set()
    run = Run(folder / method)
    assert [row["step"] for row in run.metrics if "terms" in row] == [1, 2, 3]
    assert [row["metrics"] for row in run.metrics if "metrics" in row] == [{"map": 0.5}]
    # A row tells of both: the mean of what each has found.
    mean = {name: (first["terms"][name] + second["terms"][name]).item() / 2 for name in first["terms"]}
    last = [row["terms"] for row in run.metrics if "terms" in row][-1]
    assert last == pytest.approx(mean, rel=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
@pytest.mark.parametrize("method", ["none", "mimic", "fbkd", "aid", "pkd", "fgd"])
def test_every_method_trains_on_a_gpu_in_every_precision(tmp_path: Path, method: str, precision: str) -> None:
    student, teacher = drawing("faster_rcnn"), None if method == "none" else drawing("faster_rcnn", 1)
    start = state_of(student)
    ours = trainer(tmp_path / "run", method, student, teacher, device="auto", precision=precision)
    ours.fit()
    rows = [row for row in ours.run.metrics if "terms" in row]
    assert all(math.isfinite(value) for row in rows for value in row["terms"].values())
    assert not torch.equal(state_of(student)["backbone.stem.0.weight"].cpu(), start["backbone.stem.0.weight"])
