"""From options to a run: what is checked first, what a failure leaves, and how a run goes on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from command import Ended, pupil, train
from data.miniature import write_class_split, write_split
from pupil.data.batches import Batches
from pupil.data.mixing import as_probabilities
from pupil.engine.trainer import Trainer
from pupil.errors import UsageError
from pupil.methods import ALONE, WHOLE
from pupil.methods.plan import Plan, planned
from pupil.recipes.options import Segmentation
from pupil.recipes.training import claimed, run_folder
from pupil.run import Run


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_where_a_run_goes() -> None:
    assert run_folder("segmentation", Segmentation(method="kd", seed=3)) == Path("runs/segmentation-kd-3")
    assert run_folder("segmentation", Segmentation(out="here")) == Path("here")


def test_a_folder_is_claimed_for_the_same_options_alone() -> None:
    options = Segmentation(out="run", settings=("share=1",))
    assert claimed("segmentation", options) == Path("run")
    Run.create("run", {"options": options.record()})
    for change, message in [
        ({}, "holds a run already"),
        ({"resume": True, "steps": 7}, r"got --steps 7 instead of 1000: repeat its command"),
        ({"resume": True, "settings": ()}, r"got --set \[\] instead of \['share=1'\]"),
        ({"overwrite": True, "teacher": "run"}, r"another folder than that of 'run' to write to"),
        ({"overwrite": True, "student": "run"}, r"another folder than that of 'run' to write to"),
    ]:
        with pytest.raises(UsageError, match=message):
            claimed("segmentation", Segmentation(**{**options.record(), "out": "run", **change}))
    assert Run("run").record["options"]["settings"] == ["share=1"]
    for change in ({"resume": True}, {"resume": True, "workers": 2, "log_every": 9}, {"overwrite": True}):
        claimed("segmentation", Segmentation(**{**options.record(), "out": "run", **change}))


def words(miniature: Path, out: str) -> list[object]:
    return ["train", "segmentation", "--data", miniature, "--size", "32x48", "--steps", 4, "--batch-size", 2,
            "--evaluations", 2, "--log-every", 1, "--device", "cpu", "--out", out]  # fmt: skip


def interrupted(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    learn = Trainer._learn

    def stopped(self: Trainer, *batch: Any) -> dict[str, Tensor]:
        if self.step == at:
            raise KeyboardInterrupt
        return learn(self, *batch)

    monkeypatch.setattr(Trainer, "_learn", stopped)


@pytest.mark.parametrize("method", ["none", "hint"])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    method: str, miniature: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ["--method", method, *(["--teacher", teacher] if method == "hint" else [])]
    assert pupil(*words(miniature, "whole"), *chosen).code == 0
    with monkeypatch.context() as patched:
        interrupted(patched, at=3)
        assert pupil(*words(miniature, "parts"), *chosen).code == 130
    assert Run("parts").summary is None
    assert [row["step"] for row in Run("parts").metrics] == [1, 2, 2, 3]
    ended = pupil(*words(miniature, "parts"), *chosen, "--resume")
    assert ended.code == 0, ended.err
    whole, parts = (load_file(f"{name}/student.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    logged = [[(row["step"], row.get("terms")) for row in Run(name).metrics] for name in ("whole", "parts")]
    assert logged[0] == logged[1]
    first, second = Run("whole").summary, Run("parts").summary
    assert first is not None
    assert second is not None
    assert first["metrics"] == second["metrics"]


def test_a_finished_run_is_resumed_into_itself(miniature: Path) -> None:
    assert pupil(*words(miniature, "run")).code == 0
    before = load_file("run/student.safetensors")
    ended = pupil(*words(miniature, "run"), "--resume")
    assert ended.code == 0, ended.err
    after = load_file("run/student.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [row["step"] for row in Run("run").metrics] == [1, 2, 2, 3, 4, 4]


def test_a_run_stopped_before_its_first_validation_goes_on_too(
    miniature: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        interrupted(patched, at=1)
        assert pupil(*words(miniature, "run")).code == 130
    assert pupil(*words(miniature, "run"), "--resume").code == 0
    assert pupil(*words(miniature, "unbroken")).code == 0
    assert Run("run").weights_hash() == Run("unbroken").weights_hash()


def test_a_run_killed_before_its_first_checkpoint_begins_anew(miniature: Path) -> None:
    assert pupil(*words(miniature, "run")).code == 0
    before, record = Run("run").weights_hash(), (Path("run") / "run.json").read_bytes()
    shutil.rmtree("run")
    Path("run/checkpoint").mkdir(parents=True)
    (Path("run") / "run.json").write_bytes(record)
    (Path("run") / "checkpoint" / "state.partial").write_bytes(b"PK")
    ended = pupil(*words(miniature, "run"), "--resume")
    assert ended.code == 0, ended.err
    assert Run("run").weights_hash() == before
    assert [row["step"] for row in Run("run").metrics] == [1, 2, 2, 3, 4, 4]
    # One that has lost its checkpoint, and not its rows, is not thrown away.
    shutil.rmtree("run/checkpoint")
    ended = pupil(*words(miniature, "run"), "--resume")
    assert "got none: start over with --overwrite" in ended.err
    assert Run("run").weights_hash() == before


def test_a_mistake_met_before_the_first_checkpoint_leaves_nothing_and_after_it_everything(
    miniature: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Trainer._learn

    def broken(at: int) -> Any:
        def stopped(self: Trainer, *batch: Any) -> dict[str, Tensor]:
            if self.step == at:
                raise UsageError("cannot read 000.png")
            return learn(self, *batch)

        return stopped

    for at, left, further in ((1, False, []), (3, True, []), (1, True, ["--save-every", 1])):
        monkeypatch.setattr(Trainer, "_learn", broken(at))
        ended = pupil(*words(miniature, "run"), *further)
        assert (ended.code, ended.err) == (2, "pupil: cannot read 000.png\n")
        assert Path("run").exists() == left
        shutil.rmtree("run", ignore_errors=True)


def files(folder: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def test_a_replaced_run_stays_until_the_new_one_has_ended(miniature: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = [*words(miniature, "run"), "--overwrite"]
    said = "the earlier run stays in run.replaced until --resume or --overwrite ends the new one"
    assert pupil(*again).code == 0
    old = files("run")
    for at in (1, 3, 1):
        with monkeypatch.context() as patched:
            interrupted(patched, at)
            ended = pupil(*again)
        assert (ended.code, said in ended.out) == (130, at == 3)
        if at == 1:
            assert files("run") == old
            assert not Path("run.replaced").exists()
        else:
            assert [each.read_bytes() for each in sorted(Path("run.replaced").rglob("*.*"))] == list(old.values())
            assert Run("run").summary is None
    with monkeypatch.context() as patched:
        interrupted(patched, at=3)
        pupil(*again)
    for other in (["--teacher", "run.replaced", "--overwrite"], []):
        assert pupil(*words(miniature, "run"), *other).code == 2
        assert Path("run.replaced").is_dir()
    assert pupil(*words(miniature, "run"), "--resume").code == 0
    assert Run("run").summary
    assert not Path("run.replaced").exists()


def test_other_files_where_the_replaced_run_would_wait_are_kept(miniature: Path) -> None:
    Run.create("run", {})
    Path("run.replaced").mkdir()
    Path("run.replaced/thesis.tex").touch()
    ended = pupil(*words(miniature, "run"), "--overwrite")
    assert (ended.code, "got 'run.replaced' with files that are no run" in ended.err) == (2, True)
    assert Path("run.replaced/thesis.tex").exists()


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three classes, and a network trained on it."""
    root = tmp_path_factory.mktemp("classes")
    for split in ("train", "val"):
        write_class_split(root, split, size=(32, 32))
    assert classify(root, "--out", root / "teacher").code == 0
    return root


def classify(classes: Path, *words: object) -> Ended:
    small = ("--smoke", "--device", "cpu", "--data", classes, "--student", "pupil:resnet8")
    return pupil("train", "classification", *small, *words)


def test_a_broken_first_image_is_skipped_like_any_other(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_class_split(tmp_path / "data", split, size=(32, 32))
    min((tmp_path / "data" / "train").rglob("*.png")).write_bytes(b"no image")
    ended = classify(tmp_path / "data", "--out", "run")
    assert (ended.code, "the file is corrupt or no image" in ended.err) == (2, True), ended.err
    ended = classify(tmp_path / "data", "--out", "run", "--skip-bad-images")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_file_without_a_header_is_skipped_among_masks_too(tmp_path: Path, folder: str) -> None:
    for split in ("train", "val"):
        write_split(tmp_path / "data", split, size=(32, 48))
    broken = tmp_path / "data" / "train" / folder / "001.png"
    broken.write_bytes(b"no image")
    (tmp_path / "data" / "classes.json").write_text('{"classes": ["a", "b", "c"]}')
    words = ("--data", tmp_path / "data", "--size", "32x48", "--student", "pupil:tiny", "--out", tmp_path / "run")
    ended = train(*words)
    advice = "the file is corrupt or no image: mend or remove it, or pass --skip-bad-images"
    assert (ended.code, ended.err) == (2, f"pupil: cannot read {broken}: {advice}\n")
    ended = train(*words, "--skip-bad-images", "--steps", "4", "--batch-size", "4")
    assert (ended.code, "replaced, since they cannot be read: 001" in ended.out + ended.err) == (0, True), ended.err
    (tmp_path / "data" / "val" / folder / "001.png").write_bytes(b"no image")
    ended = train(*words, "--skip-bad-images", "--overwrite")
    assert (ended.code, f"val/{folder}/001.png: the file is corrupt" in ended.err) == (2, True), ended.err


@pytest.mark.slow
@pytest.mark.parametrize("method", [*ALONE, "kd"])
def test_a_teacher_that_the_method_does_not_use_is_said(
    method: str, miniature: Path, teacher: Path, classes: Path
) -> None:
    if method in WHOLE:
        teacher = classes / "teacher"
        ended = classify(classes, "--method", method, "--teacher", teacher, "--out", "run")
    else:
        ended = train("--data", miniature, "--size", "32x48", "--method", method, "--teacher", teacher, "--out", "run")
    said = f"method {method} does not use the teacher {teacher}: choose another --method to learn from it\n"
    assert ended.code == 0, ended.err
    assert (said in ended.out) == (method != "kd")
    # Neither is it scored, nor does the run remember it, nor are layers of it named.
    assert ("on this validation set" in ended.out) == (method == "kd")
    assert "of the teacher" not in ended.out
    summary = Run("run").summary
    assert summary is not None
    assert (Run("run").record["teacher"] is None) == (summary["teacher"] is None) == (method != "kd")


def test_what_a_plan_asks_of_batches_and_images_reaches_every_step(
    classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources: list[Any] = []
    asked: list[dict[str, int]] = []
    drawn: list[float] = []
    shown: list[tuple[tuple[int, ...], bool]] = []

    def batches(source: Any) -> Any:
        sources.append(source)

        def make(count: int, batch_size: int, **where: int) -> Batches:
            asked.append({"count": count, "batch_size": batch_size, **where})
            return Batches(count, batch_size, **where)

        return make

    def mix(image: Tensor, target: Tensor, random: Any) -> tuple[Tensor, Tensor]:
        drawn.append(random.random())
        return torch.zeros_like(image), as_probabilities(target, 3)

    def method(student: Any, teacher: Any, task: Any, image: Tensor) -> Plan:
        plan = planned(student, task)
        plan.distiller.student.model.register_forward_pre_hook(
            lambda model, given: shown.append((tuple(given[0].shape), bool((given[0] == given[0][:1]).all())))
        )
        return replace(plan, batches=batches, mix=mix)

    monkeypatch.setattr("pupil.methods.load_method", lambda name: method)
    ended = classify(classes, "--seed", 5, "--out", "run")
    assert ended.code == 0, ended.err
    assert [len(source) for source in sources] == [12]
    where = {"count": 12, "batch_size": 4, "steps": 4, "seed": 5, "first": 0, "rank": 0, "world": 1}
    assert asked
    assert all(each == where for each in asked)
    # The trial before the first step sees the same parts of the run with the same draws.
    steps = drawn[-4:]
    assert len(set(steps)) == 4
    assert set(drawn) == set(steps)
    trained = [alike for shape, alike in shown if shape[0] == 4]
    assert trained[:4] == [True] * 4
    # Validation is mixed with nothing.
    assert not trained[-1]


@pytest.mark.parametrize("method", ["bake", "cs-kd", "cckd"])
def test_batches_that_a_method_makes_are_not_cut_into_parts(method: str, classes: Path) -> None:
    # Four of a class and no more: cckd takes batches of a class for what they are.
    words = ["--method", method, "--accumulate", 2, "--out", "run", "--teacher", classes / "teacher"]
    ended = classify(classes, *words)
    message = f"expected --accumulate 1 with {method}, which relates the images of a batch, got 2: leave it out"
    assert (ended.code, ended.err) == (2, f"pupil: {message}\n")
    assert not Path("run").exists()


def test_batches_by_class_leave_no_room_for_unlabelled_images(miniature: Path, teacher: Path) -> None:
    words = ["--data", miniature, "--size", "32x48", "--unlabelled", miniature / "val" / "images", "--out", "run"]
    for given, message in [
        (("--method", "bake"), "expected a teacher to label the images of --unlabelled, got --method bake"),
        (("--method", "cckd", "--set", "sampler=superclass"), "as they come beside --unlabelled, got cckd"),
    ]:
        ended = train(*words, "--teacher", teacher, *given)
        assert (ended.code, ended.err.count("\n"), message in ended.err) == (2, 1, True), ended.err
        assert not Path("run").exists()
    assert train(*words, "--teacher", teacher, "--method", "cckd").code == 0


def test_a_run_of_the_readers_own_code_needs_trust(
    miniature: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "ownnets.py").write_text(
        "import torch\n\n\ndef narrow(classes: int, width: int = 4):\n"
        "    conv = torch.nn.Conv2d(3, width, 3, padding=1)\n"
        "    return torch.nn.Sequential(conv, torch.nn.ReLU(), torch.nn.Conv2d(width, classes, 1))\n"
    )
    monkeypatch.syspath_prepend(workplace)
    spec = "ownnets:narrow?width=5"
    small = ["--data", miniature, "--size", "32x48"]
    assert train(*small, "--student", spec, "--out", "own").code == 0
    asked = "not run unasked: pass --trust 'ownnets:narrow?width=5' to allow it"
    taught = [*small, "--method", "kd", "--teacher", "own", "--out", "student"]
    for command in (["evaluate", "own"], ["predict", "own", miniature / "val", "--out", "seen"], ["layers", "own"]):
        refused = pupil(*command)
        assert (refused.code, asked in refused.err) == (2, True)
        assert pupil(*command, "--trust", spec).code == 0
    assert asked in train(*taught).err
    assert not Path("student").exists()
    assert train(*taught, "--trust", spec).code == 0
