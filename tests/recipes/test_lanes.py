"""The recipe: every method that fits by the command on drawn scenes, the layouts of the benchmarks, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from command import Ended, pupil
from data.lanes.lane_layouts import write_bdd100k_layout, write_culane_layout, write_tusimple_layout
from data.miniature import save
from pupil.data.images import read_image, read_mask
from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.export import write_tusimple
from pupil.data.lanes.formats import lanes_validation
from pupil.data.lanes.lane_images import distinct_lanes, lane_classes
from pupil.data.lanes.tusimple import SLOTS, read_records
from pupil.engine.trainer import Trainer
from pupil.methods import ALONE, DETECTION, NAMES, WHOLE
from pupil.models import load_model
from pupil.recipes.comparison import compare
from pupil.recipes.lanes import lanes, prepare, task_from
from pupil.recipes.options import Lanes
from pupil.recipes.trained import evaluate_run, load_trained
from pupil.run import Run

SIZE = (48, 64)
OWN = f"""
import torch
from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.tusimple import TuSimple

def flat(classes):
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, classes, 1))

def scenes():
    return DrawnLanes(4, {SIZE}), DrawnLanes(4, {SIZE}, split="val")

def unlike():
    return DrawnLanes(4, {SIZE}), TuSimple("tusimple", "val")
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def own(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the reader's own, of a name that no other test imports."""
    name = f"own_{workplace.name}"
    (workplace / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(workplace)
    return name


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "expert"
    ended = train("--seed", 1, "--out", folder)
    assert ended.code == 0, ended.err
    return folder


def train(*words: object) -> Ended:
    return pupil("train", "lanes", "--smoke", "--device", "cpu", "--data", "scenes", "--size", "48x64", *words)


def refused(ended: Ended, message: str, out: str = "run") -> None:
    assert (ended.code, ended.err.count("\n"), message in ended.err) == (2, 1, True), ended.err
    assert not Path(out).exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", [name for name in NAMES if name not in (*WHOLE, *DETECTION)])
def test_every_method_by_the_command(method: str, expert: Path) -> None:
    ended = train("--method", method, *([] if method in ALONE else ["--teacher", expert]))
    assert ended.code == 0, ended.err
    run = Run(f"runs/lanes-{method}-0")
    summary = run.summary
    assert summary is not None
    assert (summary["task"], summary["method"], summary["metric"], summary["steps"]) == ("lanes", method, "accuracy", 4)
    assert 0.0 <= summary["value"] == summary["metrics"]["accuracy"] <= 1.0
    assert (summary["teacher"] is None) == (method in ALONE)
    terms = [row["terms"] for row in run.metrics if "terms" in row][-1]
    assert all(math.isfinite(value) for value in terms.values())
    assert (len(terms) > 1) == (method not in ("none", "label-smoothing"))
    weights = load_file(run.folder / "student.safetensors")
    assert load_model(str(run.folder), 5).state_dict().keys() == weights.keys()
    assert "data:image/png;base64," in (run.folder / "report.html").read_text()


def test_methods_for_whole_images_are_refused_in_one_line() -> None:
    for method in WHOLE:
        refused(train("--method", method), "expected a task with one prediction an image", f"runs/lanes-{method}-0")


@pytest.mark.slow
def test_a_run_is_scored_again_and_on_another_split(expert: Path) -> None:
    scores = {}
    for split in ("val", "test"):
        ended = pupil("evaluate", expert, "--split", split)
        assert ended.code == 0, ended.err
        scores[split] = [line for line in ended.out.splitlines() if "accuracy" in line]
        assert scores[split]
    assert pupil("evaluate", expert, "--split", "nowhere").code == 2


def photos(count: int = 2) -> list[Any]:
    """Some scenes as pictures, larger than the network sees them."""
    scenes = DrawnLanes(count, (96, 128), split="test")
    for index in range(count):
        save(Path("photos") / f"{index}.png", scenes[index][0].permute(1, 2, 0).numpy())
    return [read_image(Path("photos") / f"{index}.png") for index in range(count)]


def test_predictions_are_lines_that_the_benchmark_reads(expert: Path) -> None:
    images = photos()
    ended = pupil("predict", expert, "photos", "--out", "seen")
    assert (ended.code, ended.out) == (0, "the lanes of 2 images in seen/lanes.json, overlays in seen/overlays\n")
    trained = load_trained(expert)
    records = read_records(Path("seen/lanes.json"))
    assert [record.raw_file for record in records] == ["0.png", "1.png"]
    for record, image in zip(records, images, strict=True):
        points = trained.task.predict(trained.model, image[None] / 255)[0]
        there = points[points[..., 0].isfinite().any(dim=1)]
        assert record.h_samples == tuple(points[0, :, 1].tolist())
        assert len(record.lanes) == len(there)
        for said, lane in zip(record.lanes, there, strict=True):
            torch.testing.assert_close(torch.tensor(said[:, 0]), lane[:, 0], rtol=0, atol=0.51, equal_nan=True)
        assert tuple(read_image(Path("seen/overlays", record.raw_file)).shape) == tuple(image.shape)
    for line in Path("seen/lanes.json").read_text().splitlines():
        assert json.loads(line).keys() == {"raw_file", "lanes", "h_samples", "run_time"}
    ended = pupil("predict", expert, "photos", "--out", "seen")
    assert (ended.code, "is there already: pass --overwrite" in ended.err) == (2, True)


def test_runs_are_compared(expert: Path) -> None:
    assert train("--out", "none").code == 0
    assert train("--out", "kd", "--method", "kd", "--teacher", expert).code == 0
    ended = pupil("compare", "none", "kd", expert, "--out", "table")
    assert ended.code == 0, ended.err
    rows = json.loads(Path("table/summary.json").read_text())["rows"]
    assert [row["role"] for row in rows] == ["teacher", "student", "student"]
    assert "lane 1" in Path("table/report.html").read_text()


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["train", "lanes", "--data", "scenes", "--labels", 8, "--size", "48x64", "--steps", 4, "--batch-size", 2,
             "--evaluations", 2, "--log-every", 1, "--device", "cpu", "--method", "sad",
             "--set", "start=0.5"]  # fmt: skip
    monkeypatch.setattr("pupil.data.lanes.formats.SCENES", (8, 4))
    learn = Trainer._learn

    def interrupted(self: Trainer, *batch: Any) -> float:
        if self.step == 3:
            raise KeyboardInterrupt
        return learn(self, *batch)

    assert pupil(*words, "--out", "whole").code == 0
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_learn", interrupted)
        assert pupil(*words, "--out", "parts").code == 130
    ended = pupil(*words, "--out", "parts", "--resume")
    assert ended.code == 0, ended.err
    assert Run("parts").weights_hash() == Run("whole").weights_hash()
    logged = [[(row["step"], row.get("terms")) for row in Run(name).metrics] for name in ("whole", "parts")]
    assert logged[0] == logged[1]
    assert [terms["sad_block2"] > 0 for _, terms in logged[0] if terms] == [False, False, True, True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "nowhere"), "expected a folder of data at nowhere, got nothing there"),
        (("--data", "."), "expected one of these in .:"),
        (("--format", "culane"), "expected --format with a data folder alone"),
        (("--size", "50x64"), "multiples of 8"),
        (("--size", "48"), "expected HEIGHTxWIDTH"),
        (("--scale", "2:1"), "expected 0 < FROM <= TO"),
        (("--student", "pupil:resnet8"), "a prediction at every position"),
        (("--method", "sad", "--set", "layers=block1"), "expected two blocks or more"),
        (("--method", "sad", "--set", "layers=block8,block9"), "block8"),
    ],
)
def test_bad_input_is_one_line(words: tuple[object, ...], message: str) -> None:
    refused(train("--out", "run", *words), message)


def test_a_network_without_blocks_says_how_to_name_them(own: str) -> None:
    ended = train("--student", f"{own}:flat", "--method", "sad", "--out", "run")
    refused(ended, "name them with --set layers=NAME,NAME, shallow to deep")
    words = ("--student", f"{own}:flat", "--method", "sad", "--set", "layers=0,1")
    assert train(*words).code == 0
    # One of three resolutions names none and needs none.
    assert train("--student", "pupil:tiny", "--method", "sad", "--out", "run").code == 0


def test_data_of_another_number_of_lanes_are_refused(own: str, expert: Path) -> None:
    write_tusimple_layout(Path("tusimple"))
    refused(train("--data", f"{own}:unlike", "--out", "run"), "in the validation data too, got background, lane 1")
    ended = train("--data", "tusimple", "--method", "kd", "--teacher", expert, "--out", "run")
    refused(ended, "lane 6")
    ended = pupil("evaluate", expert, "--data", "tusimple")
    assert (ended.code, "score on data with as many slots" in ended.err) == (2, True), ended.err


def test_labels_that_cannot_be_read_are_named_by_file_and_line() -> None:
    root = write_tusimple_layout(Path("tusimple"))
    labels = root / "label_data_0313.json"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([lines[0], '{"raw_file": 1}']))
    refused(train("--data", root, "--out", "run"), f"in {labels}, line 2")
    root = write_culane_layout(Path("culane"))
    for broken in root.glob("driver/train_gt/*.lines.txt"):
        broken.write_text("70.5 35 48 30.5 40 20\n10 twenty\n")
    ended = train("--data", root, "--out", "run")
    refused(ended, "line 2")
    assert "driver/train_gt/0000" in ended.err


def test_masks_of_bdd100k(workplace: Path) -> None:
    root = write_bdd100k_layout(Path("bdd"))
    ended = train("--data", root, "--student", "pupil:lane-tiny?existence=false", "--out", "run")
    assert ended.code == 0, ended.err
    assert "data: BDD100K lanes layout, 3 training, 2 validation images, masks of lanes\n" in ended.out
    # Nearly every image has its one lane, but who wants to may ask for it.
    for options, weight in (({}, 0.0), ({"existence_weight": 0.3}, 0.3)):
        assert prepare(Lanes(data=str(root), **options)).task.options["existence_weight"] == weight
    assert prepare(Lanes(smoke=True)).task.options["existence_weight"] == 0.1
    summary = Run("run").summary
    assert summary is not None
    assert (summary["metric"], summary["value"]) == ("iou", summary["metrics"]["iou"])
    for split in ("val", "test"):
        ended = pupil("evaluate", "run", "--split", split)
        assert (ended.code, "iou" in ended.out.lower()) == (0, True), ended.err
    images = photos(1)
    ended = pupil("predict", "run", "photos", "--out", "seen")
    assert (ended.code, ended.out) == (0, "1 masks in seen/masks, overlays in seen/overlays\n"), ended.err
    trained = load_trained("run")
    expected = trained.task.predict(trained.model, images[0][None] / 255)[0]
    assert (read_mask(Path("seen/masks/0.png")) == expected.numpy()).all()


def test_drawn_scenes_written_as_tusimple_are_trained_on_as_such() -> None:
    for split, count in (("train", 6), ("val", 4), ("test", 2)):
        write_tusimple(DrawnLanes(count, SIZE, split=split), "tusimple", split)
    ended = train("--data", "tusimple", "--out", "run")
    assert ended.code == 0, ended.err
    assert "data: TuSimple layout, 6 training, 4 validation images, 6 lanes\n" in ended.out
    run = Run("run")
    rows = DrawnLanes(1, SIZE).rows
    assert run.record["rows"] == pytest.approx(rows)
    assert (run.record["frame"], run.record["data_format"], len(run.record["classes"])) == ([*SIZE], "tusimple", 7)
    assert run.summary is not None
    for split, count in (("val", 4), ("test", 2)):
        scores, _ = evaluate_run("run", split=split)
        assert scores.keys() == run.summary["metrics"].keys()
        # The drawn scenes themselves have four slots, the layout six.
        assert len(lanes_validation("tusimple", split=split)) == count
        if split == "val":
            assert scores == pytest.approx(run.summary["metrics"])
    assert pupil("evaluate", "run", "--split", "test").code == 0


def test_the_record_rebuilds_the_task() -> None:
    run = lanes(Lanes(size="48x64", smoke=True, device="cpu", top=0.25, threshold=0.6, smoothing=5))
    trained, made = (
        task_from(run.record),
        prepare(Lanes(size="48x64", smoke=True, top=0.25, threshold=0.6, smoothing=5)).task,
    )
    for name in ("classes", "rows", "benchmark", "size", "ignore_index", "frame", "top", "decoding"):
        assert getattr(trained, name) == getattr(made, name), name
    assert made.decoding == {"threshold": 0.6, "smoothing": 5}
    # A run of before there was a choice.
    del (record := dict(run.record))["smoothing"]
    assert task_from(record).decoding["smoothing"] is None
    assert run.record["model"]["spec"] == "pupil:lane-tiny?size=48x64"


class Roads:
    """Data from Python: two straight lanes in six slots."""

    classes, colours, ignore_index = lane_classes(SLOTS), distinct_lanes(SLOTS), 255
    rows, metric, frame = (0.25, 0.5, 0.75), "tusimple", SIZE

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        from torchvision import tv_tensors

        points = torch.full((SLOTS, 3, 2), math.nan)
        points[..., 1] = torch.tensor(self.rows) * SIZE[0]
        points[2, :, 0], points[3, :, 0] = 20.0, 44.0
        image = torch.full((3, *SIZE), 100 + index, dtype=torch.uint8)
        return tv_tensors.Image(image), tv_tensors.KeyPoints(points, canvas_size=SIZE)


def test_data_sets_from_python_are_remembered_as_such() -> None:
    run = lanes(Lanes(size="48x64", smoke=True, device="cpu", out="run"), (Roads(), Roads()))
    assert run.summary is not None
    assert run.summary["data"] == "python"
    ended = pupil("evaluate", "run")
    assert (ended.code, ended.err) == (2, "pupil: the run 'run' was trained on data sets from Python: pass --data\n")


def test_code_of_ones_own_is_not_run_unasked(own: str) -> None:
    data = f"{own}:scenes"
    assert train("--data", data, "--out", "run").code == 0
    ended = pupil("evaluate", "run")
    assert (ended.code, "not run unasked" in ended.err) == (2, True)
    assert pupil("evaluate", "run", "--data", data).code == 0


def test_a_comparison_of_lane_networks_goes_on_where_it_was_cut() -> None:
    """The run knows the network for its images; the options stay as they were given."""
    options = Lanes(data="exported", size="48x64", steps=2, batch_size=2, evaluations=1, device="cpu")
    for split in ("train", "val"):
        write_tusimple(DrawnLanes(2, (48, 64), split=split), "exported", split)
    kept = {"out": "table", "teacher": None, "student": options, "methods": ["none"], "seeds": [0], "train": lanes}
    [(first, run)] = compare(**kept)  # type: ignore[arg-type]
    [(again, _)] = compare(**kept)  # type: ignore[arg-type]
    assert first == again
    assert run.record["model"]["spec"] == "pupil:lane-tiny?size=48x64"
    assert run.record["options"]["student"] == "pupil:lane-tiny"
