from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine import classifiers
from engine.launched import DENSE, WHOLE, item_of, lane_scores, train, weights
from pupil.data.batches import Batches
from pupil.engine.checkpoint import load_checkpoint
from pupil.engine.options import Training
from pupil.engine.processes import any_process, make_accelerator, refuse_unlike, share_buffers
from pupil.errors import UsageError
from pupil.methods import DETECTION, NAMES
from pupil.run import Run

LAUNCHED = Path(__file__).with_name("launched.py")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each method and each fault in two processes, launched as people launch them, and once, for a launch is slow."""
    folder = tmp_path_factory.mktemp("shared")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(LAUNCHED.parents[1])}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", LAUNCHED, folder]
    # Processes that do not agree wait for each other.
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in folder.glob("rank-*.json")) == ["rank-0.json", "rank-1.json"]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", [*DENSE, "accumulated"])
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


def test_every_method_is_launched() -> None:
    assert {*DENSE, *WHOLE, *DETECTION} == set(NAMES)


# Their networks beside the student have batch statistics, which each process takes of its own images, and images are
# mixed with those of one's own process.
OWN = ("frskd", "byot", "stkd")


def both(shared: Path, tmp_path: Path, method: str) -> tuple[Run, Run]:
    """A method on a classifier in one process, and in two."""
    ours = classifiers.trainer(tmp_path / "run", method, settings=WHOLE[method])
    ours.fit()
    return ours.run, Run(shared / method)


def unweighted(run: Run) -> list[dict[str, float]]:
    """The terms of each step without what a share multiplies them by, rounding included."""
    terms, ratios = [row["terms"] for row in run.metrics if "terms" in row], run.record.get("weights", {})
    return [{name: value / ratios.get(name, 1.0) for name, value in each.items()} for each in terms]


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in WHOLE if name not in OWN])
def test_two_processes_train_the_classifier_that_one_trains(shared: Path, tmp_path: Path, method: str) -> None:
    alone, together = both(shared, tmp_path, method)
    ours, theirs = weights(alone), weights(together)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=0.0, atol=1e-6)
    rows = [unweighted(run) for run in (alone, together)]
    assert any(abs(value) > 1e-7 for name, value in rows[0][-1].items() if name != "task")
    # Correlations of predictions that hardly differ yet enlarge the rounding of the weights.
    assert rows[1] == [pytest.approx(row, rel=1e-5, abs=1e-6) for row in rows[0]]
    scores = [run.metrics[-1]["metrics"] for run in (alone, together)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_what_each_process_has_of_its_own_moves_the_same_weights(shared: Path, tmp_path: Path, method: str) -> None:
    alone, together = both(shared, tmp_path, method)
    first = [next(row["terms"] for row in run.metrics if "terms" in row) for run in (alone, together)]
    # The first step sees the same images with the same student, unless they are mixed.
    assert (first[1]["task"] == pytest.approx(first[0]["task"], abs=1e-5)) == (method != "stkd")
    assert first[1].keys() == first[0].keys()
    ours, theirs = weights(alone), weights(together)
    assert ours.keys() == theirs.keys()
    # Should they agree one day, the method belongs to the test above.
    assert not all(torch.allclose(each, theirs[name], rtol=0.0, atol=1e-6) for name, each in ours.items())


@pytest.mark.slow
@pytest.mark.parametrize("method", WHOLE)
def test_both_processes_end_with_the_same_weights(shared: Path, method: str) -> None:
    """Of the student and of what is trained beside it."""
    first, second = (each[method] for each in facts(shared, "norms"))
    assert first == second
    assert len(first) >= len(weights(Run(shared / method)))


@pytest.mark.slow
def test_each_process_mixes_its_own_images_in_its_own_way(shared: Path) -> None:
    found = facts(shared, "mixed")
    for rank, steps in enumerate(found):
        dealt = Batches(len(classifiers.DATA), 8, steps=4, seed=0, rank=rank, world=2)
        assert [items for items, _ in steps] == [[index for index, _ in batch] for batch in dealt]
    assert len({draw for steps in found for _, draw in steps}) == 8


def facts(shared: Path, name: str) -> list[Any]:
    """What each of the two processes found."""
    return [json.loads((shared / f"rank-{rank}.json").read_text())[name] for rank in (0, 1)]


@pytest.mark.slow
def test_lanes_are_scored_over_the_images_of_all_processes(shared: Path) -> None:
    alone = lane_scores()
    assert 0.0 < alone["accuracy"] < 1.0
    assert facts(shared, "lane scores") == [pytest.approx(alone, rel=1e-6)] * 2


@pytest.mark.slow
def test_two_processes_go_on_to_the_rows_of_the_unbroken_run(shared: Path) -> None:
    rows, ends = [], []
    for name in ("unbroken", "resumed"):
        run = Run(shared / name)
        trained, scored = run.metrics[:-1], run.metrics[-1]
        assert [row["step"] for row in trained] == [4, 6]
        rows.append([(row["learning_rate"], row["loss"], row["terms"]["task"]) for row in trained])
        ends.append((scored["step"], scored["metrics"], {name: each.tolist() for name, each in weights(run).items()}))
    # The processes go on from the mean of what they had summed, which rounds at another place.
    assert rows[1] == [pytest.approx(row, rel=1e-6) for row in rows[0]]
    assert ends[1] == ends[0]


@pytest.mark.slow
def test_both_processes_freeze_what_no_loss_reaches(shared: Path) -> None:
    frozen = ["bright.weight", "bright.bias", "auxiliary.weight", "auxiliary.bias"]
    assert [fact["frozen"] for fact in facts(shared, "branches")] == [frozen, frozen]


@pytest.mark.slow
def test_both_processes_validate_with_the_batch_statistics_that_are_saved(shared: Path) -> None:
    saved = weights(Run(shared / "resumed"))["body.1.running_mean"].tolist()
    assert [fact["statistics"] for fact in facts(shared, "branches")] == [saved, saved]


@pytest.mark.slow
def test_what_any_process_reaches_stays_free_and_all_ask_equally_often(shared: Path) -> None:
    # Each first image reaches another layer; together they reach both.
    assert facts(shared, "reached together") == [{"frozen": [], "batches": 1}] * 2
    frozen = ["auxiliary.weight", "auxiliary.bias"]
    assert facts(shared, "unreached together") == [{"frozen": frozen, "batches": 4}] * 2


@pytest.mark.slow
def test_a_bad_image_in_another_processs_share_is_counted(shared: Path) -> None:
    bad = item_of(1, 0)
    first, *_ = facts(shared, "bad image")
    assert [line.endswith("images replaced: 1") for line in first.splitlines() if "task" in line] == [True] * 2
    assert first.endswith(f"training  replaced, since they cannot be read: item {bad}\n")
    assert load_checkpoint(shared / "bad")["bad"].nonzero().flatten().tolist() == [bad]


@pytest.mark.slow
def test_what_another_process_found_in_a_bad_step_is_told_and_kept(shared: Path) -> None:
    first, *_ = facts(shared, "broken image")
    assert "got NaN or infinity in term 'task' at step 1, first in student.0 (it received " in first
    assert f"its batch is kept in {shared / 'broken'}.bad-batch.pt" in first
    ((image, _, sample),) = torch.load(shared / "broken.bad-batch.pt", weights_only=True)["parts"]
    assert sample[image.flatten(1).isnan().all(1), 0].tolist() == [item_of(1, 1)]


@pytest.mark.slow
def test_teachers_that_differ_are_refused(shared: Path) -> None:
    line = "expected the same teacher in all 2 processes, got another in [1]: give every machine the same run folder"
    assert facts(shared, "other teacher") == [line, line]


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
