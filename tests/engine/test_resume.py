"""A run that was cut off anywhere goes on to the bits of the unbroken one."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import get_worker_info

from engine import classifiers
from engine.small import DATA, equal, network, trainer, weights
from pupil.engine import checkpoint
from pupil.engine.checkpoint import load_checkpoint
from pupil.engine.interrupts import Stopped
from pupil.engine.stepper import Batch
from pupil.engine.trainer import Trainer
from pupil.errors import UsageError
from pupil.run import Run

# Checkpoints after 2, 4, 5, 6, 8, 9 and 10 steps; a share begins to act after 5, dropout and views are random.
SETTINGS: dict[str, Any] = {"steps": 10, "batch_size": 4, "evaluations": 2, "log_every": 3, "save_every": 2}


class PowerCut(Exception):
    """The run stops here."""


def before_step(ours: Trainer, at: int, happen: Callable[[], object]) -> None:
    learn = ours._learn

    def learning(parts: list[Batch]) -> float:
        if ours.step == at:
            happen()
        return learn(parts)

    ours._learn = learning


def cut() -> None:
    raise PowerCut


def rows(folder: Path) -> list[dict[str, Any]]:
    """All that was logged but for what a clock says."""
    found = Run(folder).metrics
    for row in found:
        row.pop("seconds")
    return found


def state(folder: Path) -> dict[str, Any]:
    found = load_checkpoint(folder)
    found.pop("seconds")
    return found


def goes_on(folder: Path, unbroken: Path, settings: dict[str, Any]) -> None:
    # Whatever happens to the generators in between is forgotten, and so are other first weights.
    torch.rand(7)
    trainer(folder, student=network(3), resume=True, **settings).fit()
    is_as(folder, unbroken)


def is_as(folder: Path, unbroken: Path) -> None:
    for name in ("student", "best"):
        assert equal(weights(folder, name), weights(unbroken, name))
    assert rows(folder) == rows(unbroken)
    assert equal(state(folder), state(unbroken))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Each setting trained in one go, once."""
    known: dict[str, Path] = {}

    def train(**settings: Any) -> Path:
        name = str(settings)
        if name not in known:
            known[name] = tmp_path_factory.mktemp("unbroken") / "run"
            trainer(known[name], **{**SETTINGS, **settings, "workers": 0}).fit()
        return known[name]

    return train


VARIANTS = [{}, {"workers": 2}, {"accumulate": 2}, {"ema": 0.9}, {"optimizer": "sgd", "freeze_batch_norm": True}]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("at", [1, 5, 7])
def test_cut_off_between_checkpoints(
    tmp_path: Path, unbroken: Callable[..., Path], settings: dict[str, Any], at: int
) -> None:
    whole, settings = unbroken(**{**settings, "workers": 0}), {**SETTINGS, **settings}
    ours = trainer(tmp_path / "run", **settings)
    before_step(ours, at, cut)
    with pytest.raises(PowerCut):
        ours.fit()
    assert load_checkpoint(tmp_path / "run")["step"] == {1: 0, 5: 5, 7: 6}[at]
    goes_on(tmp_path / "run", whole, settings)


@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"accumulate": 2, "ema": 0.9}], ids=str)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_the_step_and_saves(
    tmp_path: Path,
    unbroken: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, Any],
    number: signal.Signals,
) -> None:
    whole, settings = unbroken(**{**settings, "workers": 0}), {**SETTINGS, **settings}
    ours = trainer(tmp_path / "run", **settings)
    before_step(ours, 6, lambda: signal.raise_signal(number))
    with pytest.raises(Stopped):
        ours.fit()
    assert "training  stopped after step 7/10: go on with --resume" in capsys.readouterr().out
    assert load_checkpoint(tmp_path / "run")["step"] == 7
    assert not (tmp_path / "run" / "student.safetensors").exists()
    goes_on(tmp_path / "run", whole, settings)


def test_a_signal_in_the_last_step_lets_the_run_end(tmp_path: Path, unbroken: Callable[..., Path]) -> None:
    ours = trainer(tmp_path / "run", **SETTINGS)
    before_step(ours, 9, lambda: signal.raise_signal(signal.SIGINT))
    ours.fit()
    assert equal(weights(tmp_path / "run"), weights(unbroken()))


def test_the_second_signal_stops_at_once_and_costs_no_more_than_a_checkpoint(
    tmp_path: Path, unbroken: Callable[..., Path]
) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    ours = trainer(tmp_path / "run", **SETTINGS)
    before_step(ours, 3, twice)
    with pytest.raises(KeyboardInterrupt) as caught:
        ours.fit()
    assert not isinstance(caught.value, Stopped)
    assert load_checkpoint(tmp_path / "run")["step"] == 2
    goes_on(tmp_path / "run", unbroken(), SETTINGS)


@pytest.mark.parametrize("where", ["save", "fsync", "replace"])
def test_cut_off_inside_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: Callable[..., Path], where: str
) -> None:
    ours = trainer(tmp_path / "run", **SETTINGS)
    module = checkpoint.torch if where == "save" else checkpoint.os
    original = getattr(module, where)

    def half(*args: Any) -> Any:
        # The run's other files are renamed by the same function.
        if ours.step < 6 or (where == "replace" and "checkpoint" not in str(args[1])):
            return original(*args)
        if where == "save":
            args[1].write(b"half a checkpoint")
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(module, where, half)
        with pytest.raises(PowerCut):
            ours.fit()
    assert load_checkpoint(tmp_path / "run")["step"] == 5
    goes_on(tmp_path / "run", unbroken(), SETTINGS)


def test_cut_off_between_the_last_checkpoint_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: Callable[..., Path]
) -> None:
    ours = trainer(tmp_path / "run", **SETTINGS)
    save_weights = ours.run.save_weights

    def failing(weights: Any, name: str = "student") -> None:
        if name == "student":
            raise PowerCut
        save_weights(weights, name)

    ours.run.save_weights = failing
    with pytest.raises(PowerCut):
        ours.fit()
    goes_on(tmp_path / "run", unbroken(), SETTINGS)


def test_cut_off_before_the_first_checkpoint(tmp_path: Path, unbroken: Callable[..., Path]) -> None:
    trainer(tmp_path / "run", **SETTINGS)
    trainer(tmp_path / "run", resume=True, **SETTINGS).fit()
    assert equal(weights(tmp_path / "run"), weights(unbroken()))


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path / "run", **{**SETTINGS, "steps": 2, "evaluations": 1}).fit()
    with pytest.raises(UsageError, match="got another's, which does not fit average: repeat the command"):
        trainer(tmp_path / "run", resume=True, ema=0.9, **SETTINGS).fit()
    torch.save({"hello": 1}, tmp_path / "run" / "checkpoint" / "state.pt")
    with pytest.raises(UsageError, match="got another's, which does not fit distiller"):
        trainer(tmp_path / "run", resume=True, **SETTINGS).fit()


def full(*args: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Dying:
    """A data set whose item 2 takes the worker that reads it with it, once the file is there."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __len__(self) -> int:
        return len(DATA)

    def __getitem__(self, index: int) -> Any:
        if index == 2 and get_worker_info() and self.file.exists():
            # Until then the trainer has used up what was read ahead, and waits.
            time.sleep(0.5)
            os._exit(1)
        return DATA[index]


@pytest.mark.parametrize("failure", ["memory", "disk", "worker"])
def test_a_failure_of_the_machine_is_one_line_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: Callable[..., Path], failure: str
) -> None:
    file = tmp_path / "dying"
    ours = trainer(tmp_path / "run", data=Dying(file), **{**SETTINGS, "workers": int(failure == "worker")})
    with monkeypatch.context() as patch:
        if failure == "memory":
            before_step(ours, 7, out_of_memory)
        elif failure == "disk":
            before_step(ours, 7, lambda: patch.setattr(checkpoint.os, "fsync", full))
        else:
            # The loader reads ahead.
            before_step(ours, 3, file.touch)
        with pytest.raises(UsageError) as caught:
            ours.fit()
    expected = {
        "memory": "out of memory in step 7: lower --batch-size, or work through the same batch in parts",
        "disk": "no space left to write the run at step 8; the last checkpoint is whole: make room and go on with",
        "worker": "a process that loads data ended after step ",
    }
    assert str(caught.value).startswith(expected[failure])
    assert "\n" not in str(caught.value)
    file.unlink(missing_ok=True)
    assert [path.name for path in (tmp_path / "run" / "checkpoint").iterdir()] == ["state.pt"]
    goes_on(tmp_path / "run", unbroken(), SETTINGS)


@pytest.mark.parametrize("workers", [0, 1])
def test_images_that_were_replaced_are_counted_over_both_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    class Broken(Dying):
        names = tuple(f"image {index}.png" for index in range(len(DATA)))

        def __getitem__(self, index: int) -> Any:
            if index in (2, 5):
                raise OSError("truncated")
            return DATA[index]

    settings = {**SETTINGS, "skip_bad_images": True, "workers": workers}
    ours = trainer(tmp_path / "run", data=Broken(tmp_path), **settings)
    before_step(ours, 9, cut)
    with pytest.raises(PowerCut):
        ours.fit()
    assert "  images replaced: 2" in capsys.readouterr().out
    # Whoever repaired them meanwhile is told all the same what the first part was trained without.
    trainer(tmp_path / "run", data=Dying(tmp_path / "never"), resume=True, **settings).fit()
    assert "replaced, since they cannot be read: item 2, item 5" in capsys.readouterr().out


# What goes on beside student and optimizer: a copy of the student that is renewed after 3, 5 and 8 steps, a network
# that trains with it, batches by class, mixed images, a share that is measured after 5 steps.
KEPT: dict[str, dict[str, Any]] = {
    "ps-kd": {"every": 0.25},
    "frskd": {},
    "bake": {},
    "cckd": {},
    "stkd": {"each": True},
    "byot": {},
    "sad": {"start": 0.5},
}


@pytest.fixture(scope="module")
def unbroken_method(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each method trained in one go, once."""
    known: dict[str, Path] = {}

    def train(method: str) -> Path:
        if method not in known:
            known[method] = tmp_path_factory.mktemp("unbroken") / "run"
            of_method(known[method], method).fit()
        return known[method]

    return train


def of_method(folder: Path, method: str, seed: int = 0, **options: Any) -> Trainer:
    student = classifiers.network(seed=seed, batch_norm=True)
    options = {**SETTINGS, "batch_size": 8, "optimizer": "adamw", "learning_rate": 2e-3, **options}
    return classifiers.trainer(folder, method, student=student, settings=KEPT[method], varied=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize(("at", "workers"), [(4, 0), (7, 0), (7, 2)])
@pytest.mark.parametrize("method", KEPT)
def test_all_that_a_method_keeps_goes_on(
    tmp_path: Path, unbroken_method: Callable[[str], Path], method: str, at: int, workers: int
) -> None:
    whole = unbroken_method(method)
    ours = of_method(tmp_path / "run", method, workers=workers)
    before_step(ours, at, cut)
    with pytest.raises(PowerCut):
        ours.fit()
    assert load_checkpoint(tmp_path / "run")["step"] == {4: 4, 7: 6}[at]
    torch.rand(7)
    of_method(tmp_path / "run", method, seed=3, workers=workers, resume=True).fit()
    is_as(tmp_path / "run", whole)


def test_what_a_method_keeps_is_in_the_checkpoint(unbroken_method: Callable[[str], Path]) -> None:
    """Else the runs above would agree without it."""
    past = state(unbroken_method("ps-kd"))["distiller"]["teacher._extra_state"]
    assert (past["moment"], past["updates"]) == (3, 3)
    assert not equal(past["network"]["0.0.weight"], weights(unbroken_method("ps-kd"))["0.0.weight"])
    kept = state(unbroken_method("frskd"))
    assert any("teacher" in name and name.endswith("running_mean") for name in kept["distiller"])
    assert list(state(unbroken_method("sad"))["ratios"]) == ["sad_0"]
