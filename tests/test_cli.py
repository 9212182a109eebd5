"""The command: what it prints, and one clear line with exit code 2 for every mistake, with nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pupil as package
from command import Ended, pupil, train
from data.miniature import save


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def data(miniature: Path, workplace: Path) -> Path:
    """A miniature of the test's own, to be broken."""
    shutil.copytree(miniature, workplace / "data")
    return workplace / "data"


def refused(ended: Ended) -> str:
    """The one line of a refusal."""
    assert ended.code == 2, (ended.out, ended.err)
    assert ended.err.startswith("pupil: ")
    assert ended.err.count("\n") == 1
    assert ended.err.endswith("\n")
    assert "Traceback" not in ended.err + ended.out
    return ended.err


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def nothing_written(workplace: Path, data: Path) -> Iterator[None]:
    """Whatever the test does, no file appears, changes or goes."""
    before = snapshot(workplace)
    yield
    assert snapshot(workplace) == before
    assert not (workplace / "out").exists()


def test_version_and_help() -> None:
    assert pupil("--version").out == f"pupil {package.__version__}\n"
    assert "Usage: pupil" in pupil().out
    assert "segmentation" in pupil("train").out
    shown = pupil("train", "segmentation", "--help")
    assert shown.code == 0
    for flag in ("--learning-rate", "--set", "--no-flip", "--resume", "--evaluation-size"):
        assert flag in shown.out


def test_methods_name_each_method_its_paper_and_its_options() -> None:
    from pupil.methods import NAMES

    shown = pupil("methods").out
    assert [line.split()[0] for line in shown.splitlines() if line and line[0] not in " S"] == list(NAMES)
    assert "attention (at)" in shown
    assert '"Distilling the Knowledge in a Neural Network"' in " ".join(shown.split())
    assert "--set temperature=none share=1.0 weight=none" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_recipes() -> None:
    assert pupil("recipes").out.splitlines()[1].split()[:3] == ["segmentation", "Train", "a"]


def test_layers_show_every_shape_whole() -> None:
    lines = pupil("layers", "pupil:tiny", "--size", "64x96", "--classes", "7").out.splitlines()
    assert lines[0].split("  ")[0] == "layer"
    assert "output 7 x 32 x 48" in lines[-1] or "output 7 x 16 x 24" in lines[-1]
    [classifier] = [line for line in lines if line.startswith("classifier")]
    assert classifier.split()[1] == "Conv2d"
    assert not any("…" in line for line in lines)


def test_layers_are_those_of_the_kind_that_is_asked_for() -> None:
    assert "output 7" in pupil("layers", "pupil:resnet8", "--kind", "whole", "--size", "32x32", "--classes", "7").out
    assert "with one prediction an image" in pupil("layers", "pupil:resnet8").err


def test_layers_of_a_run_know_its_classes(teacher: Path) -> None:
    assert "output 3 x " in pupil("layers", teacher, "--size", "32x48").out


UNKNOWN = [
    (["trian"], "No such command 'trian'"),
    (["train", "segmentaton"], "Did you mean 'segmentation'"),
    (["train", "segmentation", "--stepz", "3"], "--steps"),
    (["train", "segmentation", "--steps", "many"], "Invalid value for '--steps'"),
    (["train", "segmentation", "--optimizer", "adam"], "'adamw'"),
    (["train", "segmentation", "--steps", "0"], "expected steps >= 1, got 0: change --steps"),
    (["train", "segmentation", "--learning-rate", "nan"], "expected learning_rate > 0, got nan"),
    (["train", "segmentation", "--clip", "-1"], "expected clip >= 0, got -1.0: 0 turns clipping off"),
    (["train", "segmentation", "--resume", "--overwrite"], "expected --resume or --overwrite, got both"),
    (["layers", "pupil:tinny"], "unknown model of the family 'pupil' 'tinny': did you mean tiny, lane-tiny?"),
    (["layers", "tiny"], "expected a model as pupil:NAME"),
    (["layers", "torchvision:lraspp_mobilenet"], "did you mean lraspp_mobilenet_v3_large"),
    (["layers", "pupil:tiny?widht=8"], "unknown option of pupil:tiny 'widht': did you mean width"),
    (["layers", "nomodule:net"], "cannot import 'nomodule'"),
    (["layers", "pupil:tiny", "--size", "64"], "expected HEIGHTxWIDTH, got '64'"),
    (["evaluate", "nowhere"], "expected a run folder, got 'nowhere', which does not exist"),
    (["predict", "nowhere", "a.png"], "Missing option '--out'"),
    (["predict", "nowhere", "a.png", "--out", "out"], "expected a run folder, got 'nowhere'"),
    (["compare", "nowhere", "data", "--out", "out"], "expected a run folder, got 'nowhere'"),
    (["compare", "nowhere", "--out", "out"], "expected two runs or more to compare, got 1"),
    (["compare", "nowhere", "data"], "Missing option '--out'"),
    (["demo", "--seeds", "one"], "expected different whole numbers as seeds, got 'one'"),
    (["demo", "--seeds", "1 1"], "expected different whole numbers as seeds"),
]


@pytest.mark.parametrize(("words", "message"), UNKNOWN, ids=lambda value: " ".join(value) if value is list else None)
@pytest.mark.usefixtures("nothing_written")
def test_what_does_not_exist_is_named(words: list[str], message: str) -> None:
    assert message in refused(pupil(*words))


MISTAKES = [
    (["--data", "nowhere"], "expected a folder of data at nowhere, got nothing there: pass --data DIR"),
    (["--data", "nomodule:pair"], "cannot import 'nomodule'"),
    (["--classes", "a,b"], "expected label ids from 0 to 1 or the ignored 255 in"),
    (["--labels", "99"], "expected from 1 to 4 labelled images, as many as there are, got 99"),
    (["--labels", "0"], "expected labels >= 1, got 0"),
    (["--label-noise", "0.5"], "expected --label-noise with --data drawn alone"),
    (["--size", "64"], "expected HEIGHTxWIDTH, got '64': for example 256x512"),
    (["--size", "0x64"], "expected HEIGHTxWIDTH, got '0x64'"),
    (["--window", "big"], "expected HEIGHTxWIDTH, got 'big'"),
    (["--scale", "2:1"], "expected 0 < FROM <= TO, got '2:1'"),
    (["--class-weights", "1,x"], "expected numbers separated by commas, got '1,x'"),
    (["--class-weights", "1,1"], "expected 3 class weights, got 2"),
    (["--student", "pupil:tinny"], "did you mean tiny"),
    (["--student", "torchvision:fcn_resnet5"], "did you mean fcn_resnet50"),
    (["--method", "icds"], "unknown method 'icds': did you mean icsd, aicsd"),
    (["--method", "kd"], "expected a teacher for this method, got none: pass --teacher RUN"),
    (["--method", "kd", "--teacher", "data"], "expected a run folder, got 'data' without run.json"),
    (["--method", "kd", "--teacher", "nowhere"], "or a run folder, got 'nowhere': there is no such folder"),
    (["--method", "kd", "--teacher", "pupil:base"], "expected a trained network, got 'pupil:base'"),
    (["--method", "kd", "--set", "temprature=2"], "method 'kd' 'temprature': did you mean temperature"),
    (["--method", "kd", "--set", "temperature=hot"], "expected a number or none for 'temperature', got 'hot'"),
    (["--method", "none", "--set", "weight=1"], "expected no options for method 'none'"),
    (["--method", "hint", "--teacher", "TEACHER", "--set", "layer=stag1"], "layer 'stag1': did you mean stage1"),
    (["--method", "kd", "--teacher", "TEACHER", "--classes", "a,b,c,d"], "the data's 4 classes, got 3"),
    (["--set", "share"], "expected NAME=VALUE after --set"),
    (["--resume"], "expected a run to go on with in 'out', got none: leave out --resume"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=lambda value: " ".join(value) if value is list else None)
@pytest.mark.usefixtures("nothing_written")
def test_a_mistake_is_one_line_and_nothing_is_written(words: list[str], message: str, teacher: Path) -> None:
    words = [str(teacher) if word == "TEACHER" else word for word in words]
    assert message in refused(train("--data", "data", "--size", "32x48", "--out", "out", *words))


def small(*words: object) -> Ended:
    return train("--data", "data", "--size", "32x48", "--out", "out", *words)


def break_image(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:90])
    return path


def test_a_missing_split_and_missing_masks(data: Path) -> None:
    (data / "val").rename(data / "test")
    assert "expected the split 'val' as a folder in data, got test, train" in refused(small())
    (data / "test").rename(data / "val")
    (data / "train" / "masks" / "002.png").unlink()
    assert "got none for 1 of 4 (002): add masks/NAME.png" in refused(small())
    assert not Path("out").exists()


def test_a_mask_of_another_size(data: Path) -> None:
    save(data / "val" / "masks" / "001.png", np.zeros((4, 4), np.uint8))
    assert "the mask data/val/masks/001.png to have the size of its image 001.png, 48x32, got 4x4" in refused(small())
    assert not Path("out").exists()


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_label_that_is_no_class_is_found_wherever_it_is(data: Path, split: str) -> None:
    for path in (data / split / "masks").iterdir():
        save(path, np.full((32, 48), 7, np.uint8))
    line = refused(small("--classes", "a,b,c"))
    assert f"expected label ids from 0 to 2 or the ignored 255 in data/{split}/masks/" in line
    assert "got 7" in line
    assert not Path("out").exists()


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_corrupt_image_is_named(data: Path, split: str) -> None:
    for path in (data / split / "images").iterdir():
        break_image(path)
    assert f"cannot read data/{split}/images/00" in refused(small())
    assert not Path("out").exists()


def test_a_corrupt_image_met_late_leaves_the_checkpoint(data: Path) -> None:
    assert small().code == 0
    before = snapshot(Path("out"))
    break_image(data / "val" / "images" / "000.png")
    assert "cannot read data/val/images/000.png" in refused(pupil("evaluate", "out"))
    assert "cannot read data/val/images/000.png" in refused(pupil("predict", "out", "data/val", "--out", "seen"))
    assert not Path("seen").exists()
    assert snapshot(Path("out")) == before


def test_a_loss_that_is_not_finite_names_term_and_step() -> None:
    line = refused(train("--size", "32x48", "--out", "out", "--learning-rate", "1e30", "--clip", "0", "--warmup", "0"))
    assert "expected finite losses, got NaN or infinity in term 'task' at step " in line
    assert ", first in student." in line
    assert "its batch is kept in out.bad-batch.pt" in line
    assert [path.name for path in Path().iterdir()] == ["out.bad-batch.pt"]


def test_a_replacement_that_fails_leaves_the_old_run() -> None:
    words = ["--size", "32x48", "--out", "out"]
    assert train(*words).code == 0
    before = snapshot(Path())
    line = refused(train(*words, "--overwrite", "--learning-rate", "1e30", "--clip", "0", "--warmup", "0"))
    assert "expected finite losses" in line
    Path("out.bad-batch.pt").unlink()
    assert snapshot(Path()) == before
    assert train(*words, "--overwrite", "--seed", "1").code == 0
    assert [path.name for path in Path().iterdir()] == ["out"]
    assert snapshot(Path()) != before


def test_an_existing_run_is_neither_replaced_nor_resumed_unasked(data: Path, teacher: Path) -> None:
    assert small().code == 0
    before = snapshot(Path("out"))
    assert "'out' holds a run already: pass --resume, --overwrite or another --out" in refused(small())
    assert "got --student pupil:small instead of pupil:tiny" in refused(small("--resume", "--student", "pupil:small"))
    assert "unknown method" in refused(small("--overwrite", "--method", "icds"))
    assert "choose another --out" in refused(small("--overwrite", "--method", "kd", "--teacher", "out"))
    assert snapshot(Path("out")) == before
    assert small("--overwrite", "--seed", "1").code == 0
    assert snapshot(Path("out")) != before


def test_a_folder_of_other_files_is_never_written_to(data: Path) -> None:
    before = snapshot(data)
    for words in (["--out", "data"], ["--out", "data", "--overwrite"], ["--out", "data", "--resume"]):
        line = refused(train("--data", "data", "--size", "32x48", *words))
        assert "files that are no run: choose another --out" in line or "expected a run to go on with" in line
    assert "expected a comparison in 'data', got other files" in refused(pupil("demo", "--out", "data", "--overwrite"))
    assert snapshot(data) == before
    Path("file").write_text("mine")
    assert "expected a folder to write to, got the file 'file'" in refused(small("--out", "file", "--overwrite"))
    assert Path("file").read_text() == "mine"


def test_predictions_are_not_replaced_unasked(teacher: Path, miniature: Path) -> None:
    images = miniature / "val" / "images"
    assert pupil("predict", teacher, images, "--out", "seen").code == 0
    before = snapshot(Path("seen"))
    shutil.rmtree("seen/masks")
    assert "is there already: pass --overwrite or another --out" in refused(
        pupil("predict", teacher, images, "--out", "seen")
    )
    assert "no image is there" in refused(pupil("predict", teacher, "*.tga", "--out", "other"))
    assert pupil("predict", teacher, images, "--out", "seen", "--overwrite").code == 0
    assert snapshot(Path("seen")) == before
    assert not Path("other").exists()


def test_finished_runs_side_by_side(miniature: Path, teacher: Path) -> None:
    for method in ("none", "kd"):
        words = ["--method", method, "--teacher", teacher, "--out", method]
        assert train("--data", miniature, "--size", "32x48", *words).code == 0
    before = snapshot(Path("none"))
    shown = pupil("compare", "kd", "none", teacher, "--out", "both")
    assert shown.code == 0, shown.err
    rows = [line.split()[0] for line in shown.out.splitlines()[3:6]]
    assert rows == ["teacher", "none", "kd"]
    assert shown.out.splitlines()[-1] == "both/report.html  both/summary.json"
    assert max(map(len, shown.out.splitlines()[:6])) <= 80
    page = Path("both/report.html").read_text()
    scenes, columns = 4, 2 + 3
    assert page.count("data:image/png;base64,") == scenes * columns
    assert "pupil compare kd none" in page
    assert "holds a comparison already: pass --overwrite" in refused(pupil("compare", "kd", "none", "--out", "both"))
    assert "got other files: choose another" in refused(pupil("compare", "kd", "none", "--out", "kd", "--overwrite"))
    assert pupil("compare", "kd", "none", "--out", "both", "--overwrite").code == 0
    assert snapshot(Path("none")) == before


def test_scores_need_data_of_the_same_classes(teacher: Path) -> None:
    line = refused(pupil("evaluate", teacher, "--data", "drawn"))
    assert "expected a network of the data's 9 classes, got 3, and its classes have only numbers" in line
    assert "expected a batch size >= 1" in refused(pupil("evaluate", teacher, "--batch-size", "0"))


def test_training_and_evaluation_agree_and_fit_the_screen(data: Path) -> None:
    trained = small()
    scored = pupil("evaluate", "out")
    assert (trained.code, scored.code) == (0, 0)
    header, row = (line.split() for line in trained.out.splitlines()[-5:-3])
    assert header == ["model", "mIoU", "parameters", "ms/image", "steps", "seconds"]
    assert [line.split()[1] for line in scored.out.splitlines() if line.startswith("mIoU")] == [row[1]]
    assert "report  out/report.html" in trained.out
    assert max(map(len, (trained.out + scored.out).splitlines())) <= 80


def test_the_command_itself_ends_with_code_2_and_one_line(workplace: Path) -> None:
    command = [sys.executable, "-c", "from pupil.cli import main; main()", "train", "segmentation", "--data", "nowhere"]
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "pupil: expected a folder of data at nowhere, got nothing there: pass --data DIR\n"
    assert list(workplace.iterdir()) == []


def test_our_own_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pupil.report.console.print_methods", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pupil("methods")


def test_ctrl_c_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pupil.report.console.print_methods", interrupted)
    ended = pupil("methods")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "pupil: interrupted\n"
