"""The recipe: detectors by the command on drawn scenes and on a miniature of a real layout, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from command import Ended, pupil
from data.detection.box_layouts import write_voc_layout
from pupil.data.detection.drawn import DrawnBoxes
from pupil.errors import UsageError
from pupil.methods import DETECTION
from pupil.models import load_model
from pupil.recipes.detection import detection, prepare
from pupil.recipes.options import Detection
from pupil.run import Run

pytest.importorskip("faster_coco_eval")

STUDENT = "pupil:tiny-retinanet"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*words: object) -> Ended:
    small = ("--smoke", "--device", "cpu", "--scene-size", "96x128", "--batch-size", 2)
    return pupil("train", "detection", *small, *words)


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "expert"
    ended = train("--student", STUDENT, "--seed", 1, "--out", folder)
    assert ended.code == 0, ended.err
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("student", ["pupil:tiny-retinanet", "pupil:tiny-fcos", "pupil:tiny-fasterrcnn"])
def test_each_family_by_the_command(student: str) -> None:
    ended = train("--student", student, "--out", "run")
    assert ended.code == 0, ended.err
    run = Run("run")
    assert run.summary is not None
    assert (run.summary["task"], run.summary["metric"], run.summary["steps"]) == ("detection", "map", 4)
    assert 0.0 <= run.summary["value"] <= 1.0
    losses = [row["terms"]["task"] for row in run.metrics if "terms" in row]
    assert all(math.isfinite(loss) for loss in losses)
    weights = load_file(run.folder / "student.safetensors")
    assert load_model("run", 3, kind="boxes").state_dict().keys() == weights.keys()
    assert 'src="data:image/' in (run.folder / "report.html").read_text()


@pytest.mark.slow
def test_a_run_is_evaluated_predicts_and_is_compared(expert: Path) -> None:
    assert train("--out", "run", "--student", STUDENT).code == 0
    ended = pupil("evaluate", "run")
    assert ended.code == 0, ended.err
    assert "mAP 50" in ended.out
    Path("photos").mkdir()
    for index, (image, _) in enumerate(DrawnBoxes(2, (80, 100), split="val")):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(f"photos/{index}.png")
        if index:
            break
    ended = pupil("predict", "run", "photos", "--out", "found")
    assert ended.code == 0, ended.err
    assert "overlays in found/overlays" in ended.out
    found = json.loads(Path("found/boxes.json").read_text())
    assert [each["file_name"] for each in found["images"]] == ["0.png", "1.png"]
    assert [each["name"] for each in found["categories"]] == ["car", "person", "sign"]
    for box in found["annotations"]:
        left, top, width, height = box["bbox"]
        assert 0 <= left <= left + width <= 100.01
        assert 0 <= top <= top + height <= 80.01
    with Image.open("found/overlays/1.png") as overlay:
        assert overlay.size == (600, 480)  # enlarged, for names to be read
    ended = pupil("compare", "run", f"other={expert}", "--out", "table")
    assert ended.code == 0, ended.err


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_cut() -> None:
    words = ("--student", STUDENT, "--labels", 4, "--steps", 4)
    assert train(*words, "--out", "whole").code == 0
    assert train(*words, "--out", "cut", "--save-every", 2).code == 0
    ours, theirs = (load_file(f"{name}/student.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.slow
def test_pascal_voc_by_its_layout(tmp_path: Path) -> None:
    root = write_voc_layout(tmp_path / "voc")
    ended = train("--data", root, "--student", STUDENT, "--size", "96x96", "--out", "run")
    assert ended.code == 0, ended.err
    assert Run("run").record["data_format"] == "voc"
    assert pupil("evaluate", "run").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "nowhere"), "got nothing there"),
        (("--student", "pupil:tiny"), "pupil:tiny"),
        (("--size", "96"), "expected HEIGHTxWIDTH"),
        (("--size", "96x96", "--short", "64"), "either a size or a short side"),
        (("--format", "voc"), "--format with a data folder alone"),
        (("--method", "kd"), "for method 'kd', got detection with boxes of objects"),
    ],
)
def test_bad_input_is_one_line(words: tuple[object, ...], message: str) -> None:
    ended = train("--student", STUDENT, "--out", "run", *words)
    assert (ended.code, ended.err.count("\n"), message in ended.err) == (2, 1, True), ended.err
    assert not Path("run").exists()


def test_a_teacher_of_another_task_is_refused(teacher: Path) -> None:
    ended = train("--student", STUDENT, "--method", "pkd", "--teacher", teacher)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err


def test_own_data_sets_from_python() -> None:
    train_data, val = DrawnBoxes(4, (96, 128)), DrawnBoxes(2, (96, 128), split="val")
    run = detection(Detection(student=STUDENT, smoke=True, device="cpu", out="run"), (train_data, val))
    assert run.record["data"] == "python"
    with pytest.raises(UsageError, match=r"to have \.classes"):
        prepare(Detection(student=STUDENT), ([], []))  # type: ignore[arg-type]


def test_own_labels_that_count_from_0_are_said_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    class Shifted:
        classes = ("small", "large")

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Any:
            return torch.zeros(3, 64, 96), {"boxes": [[9, 9, 40, 40]], "labels": [index % 2]}

    prepare(Detection(student=STUDENT), (Shifted(), Shifted()))  # type: ignore[arg-type]
    assert capsys.readouterr().out == (
        "data: 2 of 4 boxes in 4 validation images have no class (label 0), 'large' has no box: labels count from 1\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", DETECTION)
def test_every_method_by_the_command(method: str, expert: Path) -> None:
    ended = train("--student", STUDENT, "--method", method, "--teacher", expert, "--out", "run")
    assert ended.code == 0, ended.err
    run = Run("run")
    assert run.summary is not None
    assert run.summary["teacher"]["name"] == str(expert)
    terms = [row["terms"] for row in run.metrics if "terms" in row][-1]
    assert len(terms) > 1
    assert all(math.isfinite(value) for value in terms.values())
