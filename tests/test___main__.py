from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pupil
from pupil.run import Run


def test_the_package_can_be_run_as_a_module() -> None:
    ended = subprocess.run([sys.executable, "-m", "pupil", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == f"pupil {pupil.__version__}\n"


def launched(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command in two processes, as `torchrun` starts them."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "pupil", "train", "segmentation", "--size", "32x48", "--labels", "8", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


@pytest.mark.slow
def test_two_processes_make_one_run_and_speak_once(tmp_path: Path) -> None:
    words = ["--smoke", "--steps", "4", "--log-every", "2", "--out", "run"]
    ended = launched(*words, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    run = Run(tmp_path / "run")
    assert run.summary is not None
    assert [row["step"] for row in run.metrics if "terms" in row] == [2, 4]
    assert ended.stdout.count("step 4/4  mIoU") == 1
    refused = launched(*words, folder=tmp_path)
    assert refused.returncode != 0
    assert "pupil: 'run' holds a run already: pass --resume, --overwrite or another --out" in refused.stderr
    uneven = launched("--batch-size", "3", "--overwrite", "--out", "run", folder=tmp_path)
    assert "pupil: expected a batch size that 2 process(es) can share equally, got 3" in uneven.stderr
    assert Run(tmp_path / "run").metrics == run.metrics
