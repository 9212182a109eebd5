"""Recipes of papers: listed, explained, shrunk by --smoke with their own networks, and open to any change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from command import pupil
from data.detection.box_layouts import write_kitti_layout, write_traffic_layout
from data.lanes.lane_layouts import write_bdd100k_layout, write_culane_layout, write_tusimple_layout
from data.layouts import write_cityscapes, write_voc
from data.miniature import write_class_split
from pupil.methods import ALONE
from pupil.recipes import PAPERS, kitti_aid_fcos
from pupil.recipes.options import Classification, Lanes, Segmentation
from pupil.recipes.paper import Options, as_published, general
from pupil.run import Run

PUBLISHED = Segmentation(
    method="kd", settings=("weight=2", "temperature=4"), size="256x256", base=512, student="pupil:tiny", format="voc"
)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_voc(tmp_path, (40, 56))
    return tmp_path


@pytest.mark.parametrize("recipe", PAPERS, ids=lambda recipe: recipe.NAME)
def test_each_is_listed_and_says_what_it_needs(recipe: object) -> None:
    name = recipe.NAME  # type: ignore[attr-defined]
    function = getattr(recipe, name.replace("-", "_"))
    listed = dict(line.split(maxsplit=1) for line in pupil("recipes").out.splitlines())
    assert listed[name] == function.__doc__.splitlines()[0]
    for part in ("Command: `pupil train ", "Teacher: ", "Control: ", "Data: ", "Hardware: ", "Expected result: "):
        assert part in function.__doc__
        assert part in pupil("train", name, "--help").out
    assert function.__defaults__ == (recipe.PUBLISHED,)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", PAPERS, ids=lambda recipe: recipe.NAME)
def test_smoke_shrinks_each_with_its_own_network(recipe: object) -> None:
    """The published network without its published weights, which only a network connection brings."""
    published: Options = recipe.PUBLISHED  # type: ignore[attr-defined]
    if published.student.startswith("smp:"):
        pytest.importorskip("segmentation_models_pytorch")
    if published.format == "coco-traffic":
        pytest.importorskip("faster_coco_eval")
    write_data(published)
    words = ["train", recipe.NAME, "--smoke", "--device", "cpu"]  # type: ignore[attr-defined]
    words += ["--format", "folder"] if isinstance(published, Classification) else []
    roles = [("--method", "none", "--out", "teacher"), ("--teacher", "teacher", "--out", "student")]
    for more in [(), *roles[:1]] if published.method in ALONE else roles:
        ended = pupil(*words, "--out", "student", *more)
        assert ended.code == 0, ended.err
    record = Run("student").record
    kept = record["options"]
    sides, whole = (numbers(each["size"], each["student"]) for each in (kept, published.record()))
    assert len(whole) == 2
    assert all(side == max(32, 8 * round(all_of_it / 64)) for side, all_of_it in zip(sides, whole, strict=True))
    spec = published.student.replace("weights=imagenet", "").replace("?&", "?").rstrip("?")
    assert re.sub(SIDE, "", record["model"]["spec"]) == re.sub(SIDE, "", spec)


SIDE = r"[?&](min_size|max_size|size)=[^&]*"


def numbers(size: str | None, student: str) -> list[int]:
    """The sides of an image: those it is resized to, or those that a detector resizes it to."""
    text = size or "&".join(re.findall(r"(?:min_size|max_size)=(\d+)", student))
    return [int(number) for number in re.findall(r"\d+", text)]


def write_data(published: Options) -> None:
    """A miniature of the data where the paper's options look for them."""
    root = Path(published.data)
    match published.format:
        case "cityscapes":
            write_cityscapes(root, (40, 80))
        case "tusimple":
            write_tusimple_layout(root)
        case "culane":
            write_culane_layout(root)
        case "bdd100k":
            write_bdd100k_layout(root)
        case "kitti":
            write_kitti_layout(root)
        case "coco-traffic":
            write_traffic_layout(root)
    if isinstance(published, Classification):
        for split in ("train", "val"):
            write_class_split(root, split, size=(32, 32))


def train(**changes: object) -> Run:
    options = replace(PUBLISHED, data=".", smoke=True, device="cpu", overwrite=True, out="out", **changes)
    return as_published("some-paper", PUBLISHED, options)


def test_a_smoke_run_sees_an_eighth_of_the_sides() -> None:
    record = train(method="none").record
    assert (record["recipe"], record["options"]["size"], record["options"]["base"]) == ("some-paper", "32x32", 64)
    kept = train(method="none", size="40x48", base=None).record["options"]
    assert (kept["size"], kept["base"]) == ("40x48", None)


def test_other_tasks_are_shrunk_to_sides_that_networks_take(tmp_path: Path) -> None:
    """An eighth in multiples of 8, but 32 at least, and the network is built for it."""
    write_culane_layout(tmp_path / "lanes")
    for split in ("train", "val"):
        write_class_split(tmp_path / "images", split, size=(32, 32))
    lanes = Lanes(method="sad", data="lanes", size="208x976")
    images = Classification(method="bake", data="images", size="64x224", student="pupil:resnet8")
    for published, size, network in (
        (lanes, "32x120", "pupil:lane-tiny?size=32x120"),
        (images, "32x32", "pupil:resnet8"),
    ):
        options = replace(published, smoke=True, device="cpu", overwrite=True, out="out")
        record = as_published("some-paper", published, options).record
        assert (record["recipe"], record["task"]) == ("some-paper", general(published).NAME)
        assert (record["options"]["size"], record["model"]["spec"]) == (size, network)


def test_settings_belong_to_the_method_of_the_paper() -> None:
    assert train(method="none").record["options"]["settings"] == []
    Path("out").rename("teacher")
    taught = {"teacher": "teacher"}
    assert train(**taught).record["options"]["settings"] == ["weight=2", "temperature=4"]
    own = train(**taught, method="cwd", settings=(*PUBLISHED.settings, "weight=5")).record["options"]
    assert own["settings"] == ["weight=5"]
    # What somebody sets is theirs, also where the paper says the same.
    same = train(**taught, method="cwd", settings=(*PUBLISHED.settings, "weight=2")).record["options"]
    assert same["settings"] == ["weight=2"]
    last = train(**taught, settings=(*PUBLISHED.settings, "weight=5")).record["options"]
    assert last["settings"] == ["weight=2", "temperature=4", "weight=5"]


def test_other_methods_of_the_paper_take_the_settings_that_they_know(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[str, ...]] = []
    monkeypatch.setattr("pupil.recipes.detection.train_as", lambda recipe, options: handed.append(options.settings))
    published = replace(kitti_aid_fcos.PUBLISHED, settings=("weight=2", "alpha=0.1"))
    for method in ("aid", "aid-self", "fbkd"):
        settings = (*published.settings, "weight=5")
        as_published("some-paper", published, replace(published, method=method, settings=settings))
    assert handed == [("weight=2", "alpha=0.1", "weight=5")] * 2 + [("weight=5",)]
    unknown = replace(published, settings=("weight=2", "width=4"))
    as_published("some-paper", unknown, replace(unknown, method="aid-self"))
    assert handed[-1] == ("weight=2",)
