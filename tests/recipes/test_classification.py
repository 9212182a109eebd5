"""The recipe: every method by the command on a folder of class folders, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from command import Ended, pupil
from data.miniature import write_class_split
from pupil.errors import UsageError
from pupil.methods import ALONE, DETECTION, NAMES, load_method
from pupil.methods.settings import method_options
from pupil.models import load_model
from pupil.recipes.classification import classification, prepare
from pupil.recipes.options import Classification
from pupil.run import Run

DENSE = ("icsd", "aicsd", "cwd")  # those that compare the positions of logits


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classes")
    for split in ("train", "val"):
        write_class_split(root, split, size=(32, 32))
    return root


@pytest.fixture(scope="module")
def expert(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "expert"
    ended = train("--data", images, "--student", "pupil:resnet14", "--out", folder)
    assert ended.code == 0, ended.err
    return folder


def train(*words: object) -> Ended:
    return pupil("train", "classification", "--smoke", "--device", "cpu", "--student", "pupil:resnet8", *words)


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in NAMES if name not in (*DENSE, *DETECTION)])
def test_every_method_by_the_command(method: str, images: Path, expert: Path) -> None:
    ended = train("--data", images, "--method", method, *([] if method in ALONE else ["--teacher", expert]))
    assert ended.code == 0, ended.err
    run = Run(f"runs/classification-{method}-0")
    summary = run.summary
    assert summary is not None
    assert (summary["task"], summary["method"], summary["steps"]) == ("classification", method, 4)
    assert 0.0 <= summary["value"] == summary["metrics"]["accuracy"] <= 1.0
    assert (summary["teacher"] is None) == (method in ALONE)
    terms = [row["terms"] for row in run.metrics if "terms" in row][-1]
    assert all(math.isfinite(value) for value in terms.values())
    weights = load_file(run.folder / "student.safetensors")
    assert load_model(str(run.folder), 3, kind="whole").state_dict().keys() == weights.keys()
    assert 'src="data:image/' in (run.folder / "report.html").read_text()


def test_methods_for_maps_are_refused_in_one_line(images: Path, expert: Path) -> None:
    for method in DENSE:
        ended = train("--data", images, "--method", method, "--teacher", expert)
        print(method, ended.code, ended.err)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
        assert not Path(f"runs/classification-{method}-0").exists()


def test_a_run_is_evaluated_and_predicts(images: Path, expert: Path) -> None:
    assert train("--data", images, "--out", "run").code == 0
    ended = pupil("evaluate", "run")
    assert ended.code == 0, ended.err
    assert "accuracy" in ended.out
    ended = pupil("predict", "run", images / "val" / "b", "--out", "found")
    assert ended.out == "the likeliest classes of 4 images in found/predictions.csv\n"
    rows = list(csv.DictReader(Path("found/predictions.csv").read_text().splitlines()))
    assert [row["image"] for row in rows] == ["000.png", "001.png", "002.png", "003.png"]
    for row in rows:
        assert {row[f"class {place}"] for place in (1, 2, 3)} == {"a", "b", "c"}
        assert sum(float(row[f"probability {place}"]) for place in (1, 2, 3)) == pytest.approx(1, abs=1e-3)
    ended = pupil("predict", "run", images / "val" / "b", "--out", "found")
    assert (ended.code, "predictions.csv' is there already" in ended.err) == (2, True)


def test_runs_are_compared(images: Path, expert: Path) -> None:
    assert train("--data", images, "--out", "none").code == 0
    assert train("--data", images, "--out", "kd", "--method", "kd", "--teacher", expert).code == 0
    ended = pupil("compare", "none", "kd", expert, "--out", "table")
    assert ended.code == 0, ended.err
    rows = json.loads(Path("table/summary.json").read_text())["rows"]
    assert [row["role"] for row in rows] == ["teacher", "student", "student"]


def test_a_network_of_another_task_is_refused(images: Path, expert: Path, teacher: Path, miniature: Path) -> None:
    for words, message in [
        (("--student", "pupil:tiny"), "one prediction an image"),
        (("--method", "kd", "--teacher", teacher), "one prediction an image"),
    ]:
        ended = train("--data", images, *words)
        assert (ended.code, message in ended.err) == (2, True), ended.err
    ended = pupil("train", "segmentation", "--smoke", "--data", miniature, "--method", "kd", "--teacher", expert)
    assert (ended.code, "a prediction at every position" in ended.err) == (2, True), ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "got no --data"),
        (("--data", "nowhere"), "got nothing there"),
        (("--mixup", 0.2, "--cutmix", 1.0), "--mixup or --cutmix, got both"),
        (("--mixup", 0.2, "--method", "stkd"), "no --mixup or --cutmix with stkd"),
        (("--method", "bake", "--accumulate", 2), "--accumulate 1 with bake"),
        (("--crop", "cut"), "'auto', 'pad', 'zoom', 'none'"),
        (("--method", "bake", "--set", "positives=9"), "positives"),
    ],
)
def test_bad_input_is_one_line(words: tuple[object, ...], message: str, images: Path, expert: Path) -> None:
    data = () if message.startswith("got no") else ("--data", images)
    ended = train(*data, "--teacher", expert, "--out", "run", *words)
    assert (ended.code, ended.err.count("\n"), message in ended.err) == (2, 1, True), ended.err
    assert not Path("run").exists()


def test_images_seen_do_not_depend_on_the_method(images: Path) -> None:
    seen = {}
    for method in ("none", "bake"):
        options = Classification(data=str(images), student="pupil:resnet8", method=method, smoke=True, device="cpu")
        run = classification(options)
        assert run.summary is not None
        seen[method] = run.summary["epochs"]
    assert seen["none"] == seen["bake"]


def test_mixing_reaches_the_network(images: Path) -> None:
    losses = []
    for number, settings in enumerate(({}, {"mixup": 1.0}, {"cutmix": 1.0})):
        options = Classification(
            data=str(images),
            student="pupil:resnet8",
            smoke=True,
            device="cpu",
            log_every=1,
            out=f"run{number}",
            **settings,
        )
        losses.append([row["terms"]["task"] for row in classification(options).metrics if "terms" in row])
    assert losses[0] != losses[1] != losses[2]


def test_own_data_sets_from_python() -> None:
    generator = torch.Generator().manual_seed(0)

    class Pictures(list[tuple[torch.Tensor, int]]):
        classes = ("dark", "bright")

    train, val = (Pictures([(torch.rand(3, 40, 50, generator=generator), i % 2) for i in range(6)]) for _ in range(2))
    run = classification(Classification(student="pupil:resnet8", smoke=True, device="cpu"), (train, val))
    assert run.summary is not None
    assert run.summary["data"] == "python"
    other = Pictures(val)
    other.classes = ("bright", "dark")
    with pytest.raises(UsageError, match="in the validation data too"):
        classification(Classification(student="pupil:resnet8", out="other"), (train, other))


def test_the_crop_follows_the_images(images: Path) -> None:
    for size, crop in (("32x32", "RandomCrop"), ("24x24", "RandomResizedCrop")):
        material = prepare(Classification(data=str(images), size=size))
        assert material.transform is not None
        assert crop in repr(material.transform)


def test_every_self_distillation_is_listed_as_one() -> None:
    for name in NAMES:
        assert method_options(load_method(name)) is not None
    assert set(ALONE) <= set(NAMES)


def test_predictions_of_folders_below_and_of_what_can_be_read(images: Path, expert: Path) -> None:
    (Path("photos") / "deep").mkdir(parents=True)
    (Path("photos") / "deep" / "good.png").write_bytes((images / "val" / "a" / "000.png").read_bytes())
    (Path("photos") / "deep" / "broken.png").write_bytes(b"no image")
    words = ("predict", expert, "photos", "--out", "found")
    ended = pupil(*words)
    assert (ended.code, "broken.png: the file is corrupt" in ended.err) == (2, True), ended.err
    ended = pupil(*words, "--skip-bad-images")
    assert ended.code == 0, ended.err
    assert "left out: cannot read photos/deep/broken.png" in ended.out
    assert "the likeliest classes of 1 images" in ended.out


def test_validation_that_lacks_a_class_is_scored_on_all(tmp_path: Path, expert: Path, images: Path) -> None:
    write_class_split(tmp_path, "val", classes="ac", size=(32, 32))
    ended = pupil("evaluate", expert, "--data", tmp_path)
    assert ended.code == 0, ended.err
    assert "by name" not in ended.out


@pytest.mark.slow
def test_a_class_of_few_images_is_named_in_a_line(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_class_split(tmp_path / "few", split, size=(32, 32))
    for name in ("001", "002", "003"):
        (tmp_path / "few" / "train" / "b" / f"{name}.png").unlink()
    ended = subprocess.run(
        [sys.executable, "-m", "pupil", "train", "classification", "--smoke", "--device", "cpu", "--data",
         str(tmp_path / "few"), "--student", "pupil:resnet8", "--method", "bake"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    [line] = [line for line in ended.stderr.splitlines() if "fewer of" in line]
    assert line.startswith("pupil: expected 4 images of each class")
    assert "got fewer of b:" in line
