"""Where trainings run: here, at once and loudly, or side by side in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pupil.recipes.options import Segmentation
from pupil.recipes.processes import Here, executor
from pupil.recipes.segmentation import segmentation


def failing(reason: str) -> None:
    raise ValueError(reason)


def test_one_process_is_this_one_and_runs_each_call_at_once() -> None:
    done: list[int] = []
    with executor(1) as pool:
        job = pool.submit(done.append, 3)
        assert done == [3]
        assert job.done()
        assert pool.submit(divmod, 7, 2).result() == (3, 1)
        assert pool.submit(os.getpid).result() == os.getpid()


def test_here_an_error_is_raised_at_once() -> None:
    with pytest.raises(ValueError, match="the reason"):
        Here().submit(failing, "the reason")


@pytest.mark.slow
def test_others_print_nothing_and_hand_their_errors_back(capfd: pytest.CaptureFixture[str]) -> None:
    with executor(2) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        pool.submit(print, "a line of a training").result()
        with pytest.raises(ValueError, match="the reason"):
            pool.submit(failing, "the reason").result()
    assert "a line of a training" not in capfd.readouterr().out


ORPHANS = """
import os, time
from pupil.recipes.processes import executor

if __name__ == "__main__":
    pool = executor(2)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


@pytest.mark.slow
def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHANS)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the child went on without its parent")


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    options = Segmentation(student="pupil:tiny?width=4", size="32x48", device="cpu", steps=2, smoke=True)
    with executor(2) as pool:
        jobs = [
            pool.submit(segmentation, replace(options, out=str(tmp_path / str(seed)), seed=seed)) for seed in (0, 1)
        ]
        runs = [job.result() for job in jobs]
    assert [run.folder for run in runs] == [tmp_path / "0", tmp_path / "1"]
    assert [run.summary["seed"] for run in runs] == [0, 1]
    here = segmentation(replace(options, out=str(tmp_path / "here"), seed=1)).load_weights()
    first, second = (run.load_weights() for run in runs)
    assert here.keys() == second.keys()
    # Several threads may add numbers in another order than one.
    assert all(torch.allclose(value, second[name], rtol=1e-3, atol=1e-5) for name, value in here.items())
    assert not all(torch.equal(value, first[name]) for name, value in here.items())
