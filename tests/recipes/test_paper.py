"""Recipes of papers: listed, explained, shrunk by --smoke with their own networks, and open to any change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from command import pupil
from data.layouts import write_cityscapes, write_voc
from pupil.recipes import PAPERS
from pupil.recipes.options import Segmentation
from pupil.recipes.paper import as_published
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
    pytest.importorskip("segmentation_models_pytorch")
    write_cityscapes(Path("cityscapes"), (40, 80))
    words = ("train", recipe.NAME, "--smoke", "--device", "cpu")  # type: ignore[attr-defined]
    for more in (("--method", "none", "--out", "teacher"), ("--teacher", "teacher", "--out", "student")):
        ended = pupil(*words, *more)
        assert ended.code == 0, ended.err
    assert Run("student").record["options"]["size"] == "64x64"
    spec = Run("student").record["model"]["spec"]
    published = recipe.PUBLISHED.student  # type: ignore[attr-defined]
    assert spec == published.replace("weights=imagenet", "").replace("?&", "?").rstrip("?")


def train(**changes: object) -> Run:
    options = replace(PUBLISHED, data=".", smoke=True, device="cpu", overwrite=True, out="out", **changes)
    return as_published("some-paper", PUBLISHED, options)


def test_a_smoke_run_sees_an_eighth_of_the_sides() -> None:
    record = train(method="none").record
    assert (record["recipe"], record["options"]["size"], record["options"]["base"]) == ("some-paper", "32x32", 64)
    kept = train(method="none", size="40x48", base=None).record["options"]
    assert (kept["size"], kept["base"]) == ("40x48", None)


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
