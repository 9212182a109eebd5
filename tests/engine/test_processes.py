from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.launched import train, weights
from pupil.engine.options import Training
from pupil.engine.processes import any_process, make_accelerator, refuse_unlike, share_buffers
from pupil.errors import UsageError
from pupil.methods import NAMES
from pupil.run import Run

LAUNCHED = Path(__file__).with_name("launched.py")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each method trained by two processes, launched as people launch them."""
    folder = tmp_path_factory.mktemp("shared")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(LAUNCHED.parents[1])}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", LAUNCHED, folder]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in folder.glob("rank-*.json")) == ["rank-0.json", "rank-1.json"]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", [*NAMES, "accumulated"])
def test_two_processes_train_what_one_trains(shared: Path, tmp_path: Path, method: str) -> None:
    options = {"accumulate": 2} if method == "accumulated" else {}
    alone = train(tmp_path / "run", "kd" if method == "accumulated" else method, **options)
    together = Run(shared / method)
    ours, theirs = weights(alone), weights(together)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=0.0, atol=1e-6)
    rows = [[row for row in run.metrics if "terms" in row] for run in (alone, together)]
    assert [row["loss"] for row in rows[1]] == pytest.approx([row["loss"] for row in rows[0]], abs=1e-5)
    scores = [run.metrics[-1]["metrics"]["miou"] for run in (alone, together)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-6)


def test_one_process_needs_nobody() -> None:
    accelerator = make_accelerator(Training(device="cpu"))
    model = nn.BatchNorm2d(2)
    share_buffers(model, accelerator)
    refuse_unlike(model, accelerator)
    assert any_process(True, accelerator)
    assert not any_process(False, accelerator)


def test_a_tracker_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"expected wandb for --tracker wandb.*: pip install .pupil-kd\[wandb\]"):
        make_accelerator(Training(device="cpu", tracker="wandb"))
