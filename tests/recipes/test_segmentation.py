"""The recipe: every method by the command on a miniature of the real data layout, and on drawn scenes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from command import pupil, train
from data.miniature import write_split
from pupil.data.segmentation import drawn_scenes
from pupil.data.street import StreetScenes
from pupil.engine.trainer import Trainer
from pupil.errors import UsageError
from pupil.methods import ALONE, DETECTION, NAMES, WHOLE
from pupil.models import load_model
from pupil.recipes.options import Segmentation
from pupil.recipes.segmentation import prepare, segmentation, task_from
from pupil.run import Run

SUMMARY = {
    "role": str,
    "recipe": str,
    "method": str,
    "task": str,
    "metric": str,
    "value": float,
    "metrics": dict,
    "student": dict,
    "teacher": (dict, type(None)),
    "seed": int,
    "epochs": float,
    "steps": int,
    "seconds": float,
    "images_per_second": float,
    "data": str,
    "version": str,
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(f"{run}/student.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in NAMES if name not in (*WHOLE, *DETECTION)])
def test_every_method_by_the_command(method: str, miniature: Path, teacher: Path) -> None:
    ended = train("--data", miniature, "--size", "32x48", "--method", method, "--teacher", teacher)
    assert ended.code == 0, ended.err
    run = Run(f"runs/segmentation-{method}-0")
    summary = run.summary
    assert summary is not None
    for name, kind in SUMMARY.items():
        assert isinstance(summary[name], kind), name
    assert (summary["method"], summary["seed"], summary["steps"]) == (method, 0, 4)
    assert 0.0 <= summary["value"] == summary["metrics"]["miou"] <= 1.0
    taught = method not in ALONE
    assert (summary["teacher"] is not None) == taught
    assert (f"teacher {teacher}: mIoU " in ended.out) == taught
    if taught:
        assert summary["teacher"]["value"] == run.record["teacher"]["value"]
        assert run.record["teacher"]["sha256"] == Run(teacher).weights_hash()
    terms = [row["terms"] for row in run.metrics if "terms" in row][-1]
    assert all(math.isfinite(value) for value in terms.values())
    assert (len(terms) > 1) == (method not in ("none", "label-smoothing"))
    assert load_model(str(run.folder), 3).state_dict().keys() == weights(str(run.folder)).keys()
    page = (run.folder / "report.html").read_text()
    assert "data:image/png;base64," in page


def test_drawn_scenes_are_scored_in_small_where_the_run_is_a_smoke_run(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[int] = set()
    scene = StreetScenes.scene

    def counted(self: StreetScenes, index: int) -> Any:
        drawn.add(self._first + index)
        return scene(self, index)

    monkeypatch.setattr(StreetScenes, "scene", counted)
    drawn_scenes.cache_clear()  # other tests of this process have drawn them
    ended = train("--size", "32x48", "--out", "out")
    assert ended.code == 0, ended.err
    assert 8 < len(drawn) <= 40
    assert Run("out").record["classes"] == list(StreetScenes.classes)


def test_a_smoke_run_shrinks_and_the_others_do_not(miniature: Path) -> None:
    write_split(Path("many"), "train", size=(32, 48))
    write_split(Path("many"), "val", count=12, size=(32, 48))
    assert len(prepare(Segmentation(data="many", size="32x48", smoke=True)).val) == 8
    assert len(prepare(Segmentation(data="many", size="32x48")).val) == 12
    run = segmentation(Segmentation(data=str(miniature), size="32x48", smoke=True, steps=2, batch_size=1, out="out"))
    assert (run.record["options"]["steps"], run.record["options"]["batch_size"]) == (2, 1)


def test_the_record_rebuilds_the_task(miniature: Path) -> None:
    options = Segmentation(data=str(miniature), size="32x48", evaluation_size="own", window="16x24", smoke=True)
    run = segmentation(options)
    task = task_from(run.record)
    assert task.classes == ("class 0", "class 1", "class 2")
    assert (task.size, task.window, task.ignore_index) == (None, (16, 24), 255)
    assert len(task.colours or ()) == 3


def test_options_of_the_objective_reach_the_task_loss(miniature: Path) -> None:
    options = Segmentation(
        data=str(miniature), size="32x48", label_smoothing=0.1, class_weights="1,2,3", dice=0.5, auxiliary_weight=0.2
    )
    loss, _ = prepare(options).task.objective()
    assert (loss.label_smoothing, loss.dice, loss.auxiliary_weight) == (0.1, 0.5, 0.2)
    assert loss.class_weights.tolist() == [1.0, 2.0, 3.0]


def test_short_names_of_methods_are_written_out(miniature: Path, teacher: Path) -> None:
    ended = train("--data", miniature, "--size", "32x48", "--method", "at", "--teacher", teacher)
    assert ended.code == 0, ended.err
    assert Run("runs/segmentation-attention-0").record["options"]["method"] == "attention"


class Scenes(torch.utils.data.Dataset[Any]):
    """Data from Python."""

    classes, colours, ignore_index = ("left", "right"), ((200, 60, 60), (60, 60, 200)), 255

    def __init__(self, highest: int = 1) -> None:
        self.highest = highest

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        mask = torch.zeros(32, 48, dtype=torch.long)
        mask[:, 24:] = self.highest
        return (mask * 250).expand(3, -1, -1).byte(), mask


def test_data_sets_from_python_are_remembered_as_such() -> None:
    run = segmentation(Segmentation(size="32x48", smoke=True, out="out"), (Scenes(), Scenes()))
    assert run.summary is not None
    assert run.summary["data"] == run.record["data"] == "python"
    ended = pupil("evaluate", "out")
    assert (ended.code, ended.err) == (2, "pupil: the run 'out' was trained on data sets from Python: pass --data\n")


def test_data_sets_from_python_are_checked() -> None:
    with pytest.raises(UsageError, match=r"label ids from 0 to 1 or the ignored 255 in item \d of Scenes, got 2"):
        segmentation(Segmentation(size="32x48", smoke=True, out="out"), (Scenes(), Scenes(highest=2)))
    other = Scenes()
    other.classes = ("right", "left")
    with pytest.raises(
        UsageError, match=r"expected the classes left, right in the validation data too, got right, left"
    ):
        segmentation(Segmentation(size="32x48", smoke=True, out="out"), (Scenes(), other))
    assert not Path("out").exists()


def test_images_that_the_teacher_alone_labels(miniature: Path, teacher: Path) -> None:
    photos = miniature / "val" / "images"
    words = ["--data", miniature, "--size", "32x48", "--teacher", teacher, "--method", "kd"]
    ended = train(*words, "--unlabelled", photos, "--out", "with")
    assert ended.code == 0, ended.err
    assert "data: 4 images that the teacher alone labels\n" in ended.out
    assert train(*words, "--unlabelled", photos, "--out", "again").code == 0
    assert train(*words, "--out", "without").code == 0
    same, again, other = weights("with"), weights("again"), weights("without")
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not all(torch.equal(same[name], other[name]) for name in same)
    terms = [row["terms"] for row in Run("with").metrics if "terms" in row]
    assert all(math.isfinite(value) for row in terms for value in row.values())
    rest = train(*words, "--labels", 1, "--unlabelled", "rest", "--out", "rest")
    assert "data: 3 images that the teacher alone labels\n" in rest.out


def test_a_run_with_unlabelled_images_goes_on_as_if_nothing_had_happened(
    miniature: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "segmentation", "--data", miniature, "--size", "32x48", "--steps", 5, "--batch-size", 2]
    words += ["--evaluations", 2, "--device", "cpu", "--teacher", teacher, "--method", "kd", "--labels", 1]
    words += ["--unlabelled", "rest", "--workers", 0, "--out"]
    assert pupil(*words, "whole").code == 0
    learn = Trainer._learn

    def stopped(self: Trainer, *batch: Any) -> Any:
        if self.step == 4:
            raise KeyboardInterrupt
        return learn(self, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_learn", stopped)
        assert pupil(*words, "parts").code == 130
    assert pupil(*words, "parts", "--resume").code == 0
    whole, parts = weights("whole"), weights("parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no --teacher"),
        (["--method", "kd"], "no --teacher"),
        (["--teacher", "any"], "--method none"),
        (["--teacher", "any", "--method", "label_smoothing"], "--method label-smoothing"),
    ],
)
def test_without_a_teacher_nobody_labels(words: list[str], message: str) -> None:
    ended = train("--unlabelled", "photos", "--out", "out", *words)
    expected = f"expected a teacher to label the images of --unlabelled, got {message}: leave one of them out"
    assert (ended.code, ended.err) == (2, f"pupil: {expected}\n")
    assert not Path("out").exists()


def test_a_share_of_unlabelled_images_that_leaves_no_room() -> None:
    with pytest.raises(UsageError, match=r"expected unlabelled_share between 0 and 1, got 1\.0: change --unlabelled-s"):
        Segmentation(unlabelled_share=1.0)


def test_a_transform_of_the_readers_own_takes_the_place_of_the_usual_one(miniature: Path) -> None:
    seen = []

    def own(image: Any, mask: Any) -> tuple[Any, Any]:
        seen.append((image.shape, mask.shape))
        return image[:, :16, :16], mask[:16, :16]

    options = Segmentation(data=str(miniature), size="16x16", smoke=True, workers=0, out="out")
    segmentation(options, transform=own)
    assert set(seen) == {((3, 32, 48), (32, 48))}


def test_a_student_begins_with_the_weights_of_a_run(miniature: Path, teacher: Path) -> None:
    still = ["--steps", 1, "--learning-rate", 1e-9, "--out", "out"]
    ended = train("--data", miniature, "--size", "32x48", "--student", teacher, *still)
    assert ended.code == 0, ended.err
    assert Run("out").record["model"]["spec"] == Run(teacher).record["model"]["spec"]
    before, after = weights(str(teacher)), weights("out")
    for name, value in before.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(after[name], value, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_equal_seeds_give_equal_students_in_any_process(miniature: Path, teacher: Path) -> None:
    words = ["--data", miniature, "--size", "32x48", "--method", "hint", "--teacher", teacher, "--device", "cpu"]
    assert train(*words, "--seed", 3, "--out", "here").code == 0
    assert train(*words, "--seed", 4, "--out", "other").code == 0
    command = [sys.executable, "-c", "from pupil.cli import main; main()", "train", "segmentation", "--smoke", *words]
    there = subprocess.run(
        [*map(str, command), "--seed", "3", "--out", "there"], capture_output=True, text=True, env={**os.environ}
    )
    assert there.returncode == 0, there.stderr
    here, same, other = weights("here"), weights("there"), weights("other")
    assert all(torch.equal(here[name], same[name]) for name in here)
    assert not all(torch.equal(here[name], other[name]) for name in here)
    first, second = (json.loads(Path(name, "summary.json").read_text()) for name in ("here", "there"))
    assert first["metrics"] == second["metrics"]
    assert json.loads(Path("here/run.json").read_text())["weights"] == Run("there").record["weights"]
