"""Several methods side by side: paired by seed, kept when they are there, and never at the cost of foreign files."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pupil.data.segmentation import segmentation_data
from pupil.errors import UsageError
from pupil.models import load_model
from pupil.recipes.comparison import clear, compare, compare_runs, write_comparison
from pupil.recipes.options import Segmentation
from pupil.recipes.segmentation import prepare
from pupil.run import Run

METHODS = ("none", "kd")


@dataclass
class Trainer:
    """Stands for the training: runs appear at once; `kd` takes twice as long as `none`."""

    trained: list[Segmentation] = field(default_factory=list)
    fail_at: int | None = None

    def __call__(self, options: Segmentation) -> Run:
        if len(self.trained) == self.fail_at:
            raise KeyboardInterrupt
        self.trained.append(options)
        assert options.out is not None
        run = (
            Run(options.out)
            if options.resume
            else Run.create(options.out, {"options": options.record()}, overwrite=options.overwrite)
        )
        seconds = {"none": 10.0, "kd": 20.0}[options.method]
        summary = {
            "role": "student",
            "method": options.method,
            "metric": "miou",
            "seed": options.seed,
            "steps": options.steps,
            "value": 0.5,
            "seconds": seconds,
        }
        run.finish(summary)
        return run


def counted(options: Segmentation) -> Run:
    """Trains as above, and leaves behind how many threads it had."""
    run = Trainer()(options)
    (run.folder / "threads").write_text(str(torch.get_num_threads()))
    # The next training in this process finds another number than it should have.
    torch.set_num_threads(3)
    return run


def compared(out: Path, train: Trainer, seeds: tuple[int, ...] = (7, 8), **changes: object) -> list[dict[str, object]]:
    student = Segmentation(steps=100, **changes)  # type: ignore[arg-type]
    rows = compare(
        out,
        teacher=Segmentation(student="pupil:base", steps=50),
        student=student,
        methods=METHODS,
        seeds=seeds,
        train=train,
        equal_seconds="kd",
    )
    return [summary for summary, _ in rows]


def test_rows_roles_and_seeds(tmp_path: Path) -> None:
    train = Trainer()
    rows = compared(tmp_path / "out", train)
    told = [(row["role"], row["method"], row["seed"]) for row in rows]
    students = [("student", method, seed) for seed in (7, 8) for method in (*METHODS, "none-seconds")]
    assert told == [("teacher", "none", 0), *students]
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folders == ["kd-7", "kd-8", "none-7", "none-8", "none-seconds-7", "none-seconds-8", "teacher"]


def test_students_differ_in_method_seed_and_seconds_alone(tmp_path: Path) -> None:
    train = Trainer()
    compared(tmp_path / "out", train)
    teacher, *students = train.trained
    assert (teacher.student, teacher.steps, teacher.teacher) == ("pupil:base", 50, None)
    for options in students:
        changed = {name for name, value in options.record().items() if value != Segmentation(steps=100).record()[name]}
        assert changed <= {"method", "seed", "teacher", "steps"}
    equal_steps = [each for each in students if "none-seconds" not in str(each.out)]
    assert {each.steps for each in equal_steps} == {100}
    assert {each.teacher for each in equal_steps} == {str(tmp_path / "out" / "teacher")}
    seconds = [each for each in students if "none-seconds" in str(each.out)]
    assert [(each.method, each.steps, each.teacher) for each in seconds] == [
        ("none", 200, str(tmp_path / "out" / "teacher"))
    ] * 2


@pytest.mark.slow
def test_students_that_train_side_by_side_have_a_thread_each(tmp_path: Path) -> None:
    rows = compare(
        tmp_path,
        teacher=Segmentation(),
        student=Segmentation(),
        methods=METHODS,
        seeds=(7, 8),
        train=counted,
        processes=2,
    )
    assert [summary["method"] for summary, _ in rows] == ["none", *METHODS, *METHODS]
    assert [(run.folder / "threads").read_text() for _, run in rows[1:]] == ["1"] * 4


def test_runs_that_are_there_are_kept(tmp_path: Path) -> None:
    train = Trainer(fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path / "out", train)
    rest = Trainer()
    rows = compared(tmp_path / "out", rest)
    assert len(rest.trained) == len(rows) - 3
    again = Trainer()
    assert compared(tmp_path / "out", again) == rows
    assert again.trained == []
    more = Trainer()
    assert len(compared(tmp_path / "out", more, seeds=(7, 8, 9))) == len(rows) + 3
    assert {options.seed for options in more.trained} == {9}


def test_an_unfinished_run_goes_on_from_its_checkpoint_or_begins_again(tmp_path: Path) -> None:
    compared(tmp_path / "out", Trainer())
    for name in ("kd-7", "kd-8"):
        (tmp_path / "out" / name / "summary.json").unlink()
    for name, file in (("kd-7", "state.pt"), ("kd-8", "state.pt.partial")):
        folder = tmp_path / "out" / name / "checkpoint"
        folder.mkdir()
        (folder / file).touch()
    train = Trainer()
    compared(tmp_path / "out", train)
    assert [(each.seed, each.resume, each.overwrite) for each in train.trained] == [(7, True, False), (8, False, True)]


def test_a_run_with_other_options_is_refused(tmp_path: Path) -> None:
    compared(tmp_path / "out", Trainer())
    train = Trainer()
    with pytest.raises(UsageError, match=r"the run in .*none-7' began with, got --learning-rate 0.5"):
        compared(tmp_path / "out", train, learning_rate=0.5)
    assert train.trained == []


def test_clear_removes_a_comparison_if_told_and_foreign_files_never(tmp_path: Path) -> None:
    out = tmp_path / "out"
    clear(out, overwrite=False)
    out.mkdir()
    clear(out, overwrite=False)
    compared(out, Trainer())
    with pytest.raises(UsageError, match="holds a comparison already: pass --overwrite or another --out"):
        clear(out, overwrite=False)
    mine = out / "notes.txt"
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"expected a comparison in '.*', got other files: choose another --out"):
        clear(out, overwrite=True)
    assert mine.read_text() == "mine"
    assert (out / "kd-7" / "summary.json").is_file()
    mine.unlink()
    clear(out, overwrite=True)
    assert not out.exists()


def test_clear_never_takes_a_single_run_or_a_file_for_a_comparison(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", {}).finish({})
    (tmp_path / "file").write_text("mine")
    for name in ("run", "file"):
        with pytest.raises(UsageError, match="expected a comparison in"):
            clear(tmp_path / name, overwrite=True)
        assert (tmp_path / name).exists()


def test_the_report_shows_the_same_scenes_through_each_model_of_the_first_seed(
    tmp_path: Path, teacher: Path, miniature: Path
) -> None:
    record, summary = Run(teacher).record, Run(teacher).summary
    assert summary is not None
    rows = [({**summary, "role": "teacher"}, Run(teacher))]
    for seed in (7, 8):
        for method in METHODS:
            run = Run.create(
                tmp_path / f"{method}-{seed}", {**record, "model": {"spec": "pupil:tiny", "preprocessing": None}}
            )
            run.save_weights(load_model("pupil:tiny", 3, seed=seed).state_dict())
            student = {"name": "pupil:tiny", "parameters": 1}
            rows.append(({**summary, "method": method, "seed": seed, "student": student}, run))
    data = prepare(Segmentation(data=str(miniature), size="32x48"))
    with torch.random.fork_rng():
        write_comparison(tmp_path, rows, data.val, title="Title", lead="A lead.", commands=["pupil demo"])  # type: ignore[arg-type]
    page = (tmp_path / "report.html").read_text()
    scenes, columns = 4, 2 + 3
    assert page.count("data:image/png;base64,") == scenes * columns
    assert "A lead." in page
    assert "pupil demo" in page


def finished(folder: Path, like: Path, method: str, **record: object) -> Path:
    """A finished run of another method, as small as it can be."""
    run = Run.create(folder, {**Run(like).record, "model": {"spec": "pupil:tiny", "preprocessing": None}, **record})
    run.save_weights(load_model("pupil:tiny", 3, seed=0).state_dict())
    run.finish({**(Run(like).summary or {}), "method": method, "teacher": None})
    return folder


def test_finished_runs_give_a_table_a_page_and_their_rows(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = finished(tmp_path / "none", teacher, "none")
    options = {**Run(teacher).record["options"], "steps": 9}
    kd = finished(tmp_path / "kd", teacher, "kd", options=options, remarks=["its loss has seen much"])
    notes = compare_runs([kd, none], tmp_path / "both")
    assert notes == ["The students differ in more than their method: --steps 9 and 4. A gain may come from that."]
    out, page = capsys.readouterr().out, (tmp_path / "both" / "report.html").read_text()
    assert all(note in out and note in page for note in (*notes, "kd: its loss has seen much"))
    rows = json.loads((tmp_path / "both" / "summary.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["kd", "none"]


def test_an_earlier_comparison_is_replaced_if_told_and_the_runs_beside_it_never(tmp_path: Path, teacher: Path) -> None:
    runs = [finished(tmp_path / method, teacher, method, data="python") for method in METHODS]
    with pytest.raises(UsageError, match="got other files: choose another --out"):
        compare_runs(runs, tmp_path, overwrite=True)
    assert all((run / "run.json").is_file() for run in runs)
    compare_runs(runs, tmp_path / "both")
    with pytest.raises(UsageError, match="holds a comparison already: pass --overwrite"):
        compare_runs(runs, tmp_path / "both")
    compare_runs(runs[::-1], tmp_path / "both", overwrite=True)
    assert json.loads((tmp_path / "both" / "summary.json").read_text())["rows"][0]["method"] == "kd"


def test_data_from_python_leave_the_pictures_out(tmp_path: Path, teacher: Path) -> None:
    runs = [finished(tmp_path / method, teacher, method, data="python") for method in METHODS]
    assert compare_runs(runs, tmp_path / "both")[-1].startswith("No pictures")
    assert "data:image/png" not in (tmp_path / "both" / "report.html").read_text()


def test_code_that_runs_name_is_not_run_unasked(
    tmp_path: Path, teacher: Path, miniature: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = segmentation_data(str(miniature))
    monkeypatch.setitem(sys.modules, "mine", SimpleNamespace(pair=lambda: pair))
    runs = [finished(tmp_path / method, teacher, method, data="mine:pair", data_format=None) for method in METHODS]
    with pytest.raises(UsageError, match=r"the runs name code, 'mine:pair', not run unasked: pass --trust mine:pair"):
        compare_runs(runs, tmp_path / "both")
    assert not (tmp_path / "both").exists()
    assert compare_runs(runs, tmp_path / "both", trust=["mine:pair"]) == []
    assert "data:image/png" in (tmp_path / "both" / "report.html").read_text()
