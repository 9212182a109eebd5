from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pupil.engine.logs import Log, status_line
from pupil.engine.options import Training
from pupil.engine.processes import make_accelerator
from pupil.run import Run

TERMS = {"task": 0.5, "kd": 0.25}
ROW = {"step": 4, "progress": 0.5, "seconds": 1.5, "learning_rate": 0.1, "loss": 0.75, "terms": TERMS}


def log(folder: Path, **options: Any) -> Log:
    run = Run(folder) if folder.exists() else Run.create(folder, {})
    settings = Training(device="cpu", **options)
    return Log(run, make_accelerator(settings, folder), settings.record())


def test_every_row_is_a_line_of_the_run(tmp_path: Path) -> None:
    ours = log(tmp_path / "run")
    ours.terms(4, 8, 1.5, 0.1, TERMS)
    ours.write({"step": 4, "metrics": {"miou": 0.5}})
    ours.close()
    assert Run(tmp_path / "run").metrics == [ROW, {"step": 4, "metrics": {"miou": 0.5}}]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "metrics.jsonl"}


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The points that TensorBoard would draw."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(folder / "pupil"))
    found.Reload()
    return {name: [(each.step, each.value) for each in found.Scalars(name)] for name in found.Tags()["scalars"]}


@pytest.fixture
def tensorboard() -> None:
    pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("tensorboard")
# The library's own.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_the_same_numbers_beside_the_lines(tmp_path: Path) -> None:
    ours = log(tmp_path / "run", tracker="tensorboard")
    ours.terms(4, 8, 1.5, 0.1, TERMS)
    ours.write({"step": 4, "metrics": {"miou": 0.5}})
    ours.close()
    assert Run(tmp_path / "run").metrics == [ROW, {"step": 4, "metrics": {"miou": 0.5}}]
    found = events(tmp_path / "run")
    assert {name: points for name, points in found.items() if name in ("terms/task", "terms/kd", "metrics/miou")} == {
        "terms/task": [(4, 0.5)],
        "terms/kd": [(4, 0.25)],
        "metrics/miou": [(4, 0.5)],
    }
    assert set(found) >= {"progress", "seconds", "learning_rate", "loss"}


@pytest.mark.usefixtures("tensorboard")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_that_goes_on_shows_no_point_twice(tmp_path: Path) -> None:
    for steps in ((1, 2, 3), (3, 4)):
        ours = log(tmp_path / "run", tracker="tensorboard")
        for step in steps:
            ours.write({"step": step, "loss": float(step)})
        ours.close()
    assert events(tmp_path / "run")["loss"] == [(step, float(step)) for step in (1, 2, 3, 4)]


@pytest.mark.usefixtures("tensorboard")
def test_a_training_that_never_logs_leaves_no_file_of_a_tracker(tmp_path: Path) -> None:
    ours = log(tmp_path / "run", tracker="tensorboard")
    ours.close()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json"}


def test_the_line_for_people_counts_what_was_replaced() -> None:
    assert status_line(4, 8, TERMS, []) == "step 4/8  task 0.500  kd 0.250"
    assert status_line(4, 8, TERMS, ["a", "b"]) == "step 4/8  task 0.500  kd 0.250  images replaced: 2"
