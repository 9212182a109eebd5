from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from pupil import run as module
from pupil.errors import UsageError
from pupil.run import FORMAT, Run, write_json

RECORD = {"recipe": "segmentation", "classes": ["road", "car"], "weights": {}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "runs" / "one", RECORD)


def test_a_run_is_read_as_it_was_written(run: Run) -> None:
    run.update(teacher=None, weights={"kd": 2.0})
    run.log({"step": 1, "terms": {"task": 0.5}})
    run.log({"step": 2, "metrics": {"miou": 0.25}})
    run.finish({"value": 0.25})
    read = Run(run.folder)
    assert read.record == {"format": FORMAT, **RECORD, "teacher": None, "weights": {"kd": 2.0}}
    assert read.metrics == [{"step": 1, "terms": {"task": 0.5}}, {"step": 2, "metrics": {"miou": 0.25}}]
    assert read.summary == {"value": 0.25}


def test_a_new_run_has_neither_rows_nor_a_summary(run: Run) -> None:
    assert run.metrics == []
    assert run.summary is None


def test_only_the_rows_up_to_a_step_are_kept(run: Run) -> None:
    for step in (1, 2, 2, 3):
        run.log({"step": step})
    run.cut_metrics(2)
    assert [row["step"] for row in run.metrics] == [1, 2, 2]
    run.log({"step": 3})
    assert [row["step"] for row in run.metrics] == [1, 2, 2, 3]


def test_a_row_that_a_crash_cut_off_is_left_out(run: Run) -> None:
    run.log({"step": 1})
    with (run.folder / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 2, "ter')
    assert run.metrics == [{"step": 1}]
    run.cut_metrics(1)
    run.log({"step": 2})
    assert run.metrics == [{"step": 1}, {"step": 2}]


def test_a_broken_row_between_others_is_refused(run: Run) -> None:
    (run.folder / "metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(UsageError, match=r"expected JSON in '.*metrics.jsonl', got a broken file"):
        _ = run.metrics


def test_what_is_half_written_never_replaces_what_was_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.save_weights({"weight": torch.ones(2)})

    def power_cut(*paths: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", power_cut)
    for write in (
        lambda: write_json(run.folder / "run.json", {"other": 1}),
        lambda: run.save_weights({"weight": torch.zeros(2)}),
    ):
        with pytest.raises(OSError, match="power cut"):
            write()
    assert Run(run.folder).record["recipe"] == "segmentation"
    assert torch.equal(run.load_weights()["weight"], torch.ones(2))


def test_nothing_partial_stays_behind(run: Run) -> None:
    run.save_weights({"weight": torch.ones(2)})
    run.finish({})
    assert sorted(path.name for path in run.folder.iterdir()) == ["run.json", "student.safetensors", "summary.json"]


@pytest.mark.parametrize("setting", [{}, {"overwrite": True}, {"resume": True}])
def test_a_folder_with_other_files_is_never_taken(tmp_path: Path, setting: dict[str, bool]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="with files that are no run: choose another --out"):
        Run.check_free(tmp_path, **setting)
    with pytest.raises(UsageError, match="with files that are no run"):
        Run.create(tmp_path, RECORD, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_run_is_replaced_only_when_told(run: Run) -> None:
    run.log({"step": 1})
    with pytest.raises(UsageError, match="holds a run already: pass --resume, --overwrite or another --out"):
        Run.create(run.folder, RECORD)
    assert run.metrics == [{"step": 1}]
    Run.check_free(run.folder, resume=True)
    assert Run.create(run.folder, {"recipe": "other"}, overwrite=True).record == {"format": FORMAT, "recipe": "other"}
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]


def test_a_replaced_run_waits_beside_the_new_one(run: Run) -> None:
    run.finish({"value": 1})
    assert run.replaced is None
    run.remove_replaced()
    new = Run.create(run.folder, {"recipe": "other"}, overwrite=True)
    assert new.replaced == run.folder.with_name("one.replaced")
    assert Run(new.replaced).summary == {"value": 1}
    new.restore_replaced()
    assert Run(run.folder).summary == {"value": 1}
    assert run.replaced is None
    Run.create(run.folder, {"recipe": "other"}, overwrite=True).remove_replaced()
    assert [path.name for path in run.folder.parent.iterdir()] == ["one"]
    assert Run(run.folder).record["recipe"] == "other"


def test_of_two_earlier_runs_the_last_finished_one_is_kept(run: Run) -> None:
    def kept() -> object:
        new = Run.create(run.folder, RECORD, overwrite=True)
        assert new.replaced is not None
        return Run(new.replaced).summary

    run.finish({"value": 1})
    assert kept() == {"value": 1}
    assert kept() == {"value": 1}
    run.finish({"value": 2})
    assert kept() == {"value": 2}


def test_only_a_run_is_taken_for_the_replaced_one(run: Run) -> None:
    beside = run.folder.with_name("one.replaced")
    beside.mkdir()
    assert Run.create(run.folder, {"recipe": "other"}, overwrite=True).replaced == beside
    assert Run(beside).record["recipe"] == "segmentation"
    (beside / "run.json").rename(beside / "thesis.tex")
    with pytest.raises(UsageError, match=r"got .*one.replaced' with files that are no run"):
        Run.create(run.folder, RECORD, overwrite=True)
    assert Run(run.folder).record["recipe"] == "other"


@pytest.mark.parametrize("name", [".", "..", "runs/.."])
def test_a_folder_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(UsageError, match=r"expected a folder with a name of its own, got .*: choose another --out"):
        Run.check_free(name)


def test_new_and_empty_folders_are_free(tmp_path: Path) -> None:
    Run.check_free(tmp_path)
    Run.check_free(tmp_path / "new")
    assert Run.create(tmp_path, RECORD).record["recipe"] == "segmentation"


def test_a_folder_where_a_run_was_killed_as_it_began_is_free(tmp_path: Path) -> None:
    (tmp_path / "run.json.partial").write_text('{"form')
    Run.check_free(tmp_path)
    assert Run.create(tmp_path, RECORD).record["recipe"] == "segmentation"
    (tmp_path / "run.json").rename(tmp_path / "notes.txt")
    (tmp_path / "run.json.partial").touch()
    with pytest.raises(UsageError, match="with files that are no run"):
        Run.check_free(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="expected a folder to write to, got the file"):
        Run.check_free(tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"format": 1', "expected JSON in .*, got a broken file .*: restore or remove it"),
        (b"\xff\xfe\x00\x01", "expected JSON in .*, got a broken file"),
        (b"[1, 2]", "expected a JSON object in .*, got list"),
        (b'{"name": "webpack"}', "expected run format 1, got None in"),
        (b'{"format": 2}', "expected run format 1, got 2 in .*: use the version that wrote it"),
    ],
)
def test_a_foreign_or_broken_record_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UsageError, match=expected) as caught:
        Run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"without run.json: name a folder made by pupil"):
        Run(tmp_path)
    with pytest.raises(UsageError, match="does not exist: check the path"):
        Run(tmp_path / "absent")


def test_weights_load_strictly_into_the_bare_model(run: Run) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    run.save_weights(model.state_dict())
    twin = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    twin.load_state_dict(run.load_weights(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True))
    assert twin[1].num_batches_tracked.dtype == torch.int64


def test_tied_weights_make_the_round_trip(run: Run) -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(3, 3), "decoder": nn.Linear(3, 3)})
    model["decoder"].weight = model["encoder"].weight
    run.save_weights(model.state_dict(), "best")
    model.load_state_dict(run.load_weights("best"), strict=True)
    assert model["decoder"].weight is model["encoder"].weight


def test_absent_and_broken_weights_are_refused(run: Run) -> None:
    with pytest.raises(UsageError, match=r"expected weights at .*, got none: did this run end\?"):
        run.load_weights()
    (run.folder / "student.safetensors").write_bytes(b"short")
    with pytest.raises(UsageError, match=r"expected safetensors in .*, got a broken file"):
        run.load_weights()


def test_the_hash_tells_networks_apart(run: Run) -> None:
    hashes = []
    for value in (0.0, 1.0, 0.0):
        run.save_weights({"weight": torch.full((2,), value)})
        hashes.append(run.weights_hash())
    assert hashes[0] == hashes[2] != hashes[1]


def test_the_format_is_written_down(run: Run) -> None:
    assert json.loads((run.folder / "run.json").read_text())["format"] == module.FORMAT


def test_a_run_without_network_and_classes_says_what_it_still_is_good_for(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"options": {}})
    with pytest.raises(UsageError, match="names its network and classes"):
        run.rebuildable()
    run.update(model={"spec": "pupil:tiny"}, classes=["a", "b"])
    assert run.rebuildable()["classes"] == ["a", "b"]
