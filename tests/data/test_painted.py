"""Folders of painted masks: the colours are those of `classes.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.layouts import picture, stripes
from data.miniature import save, write_split
from pupil.data.painted import PaintedFolder
from pupil.errors import UsageError

MEANING = {"classes": ["road", "car", "void"], "colours": [[9, 0, 0], [0, 9, 0], [0, 0, 0]], "ignore_index": 2}


def write(root: Path, meaning: dict[str, Any] | None = None, colours: Any = MEANING["colours"]) -> Path:
    for split in ("train", "val"):
        save(root / split / "images" / "a.jpg", picture((6, 8)))
        save(root / split / "masks" / "a.png", stripes([tuple(colour) for colour in colours], (6, 8)))
    (root / "classes.json").write_text(json.dumps(MEANING if meaning is None else meaning))
    return root


def test_colours_become_ids_and_void_is_ignored(tmp_path: Path) -> None:
    data = PaintedFolder(write(tmp_path), "train")
    assert (data.classes, data.colours, data.ignore_index) == (("road", "car"), ((9, 0, 0), (0, 9, 0)), 2)
    assert data[0][1][0].tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert PaintedFolder.fits(tmp_path)


@pytest.mark.parametrize("place", [0, 1])
def test_void_before_others_is_left_out_too(tmp_path: Path, place: int) -> None:
    order = [2, 0, 1] if place == 0 else [0, 2, 1]
    meaning = {key: [MEANING[key][index] for index in order] for key in ("classes", "colours")}
    data = PaintedFolder(write(tmp_path, {**meaning, "ignore_index": place}), "train")
    assert (data.classes, data.colours, data.ignore_index) == (("road", "car"), ((9, 0, 0), (0, 9, 0)), 2)
    assert data[0][1][0].tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_masks_of_ids_are_another_format(tmp_path: Path) -> None:
    write_split(tmp_path, "train")
    assert not PaintedFolder.fits(tmp_path)


@pytest.mark.parametrize(
    ("meaning", "message"),
    [
        ({}, r'expected "classes" and "colours" in .*classes\.json, .* got none: for example'),
        ({"classes": ["a", "b"]}, r'"classes" and "colours" in .*, got names'),
        (
            {"classes": ["a", "b"], "colours": [[9, 0, 0]] * 2},
            r"a colour of its own for each class in .*, got one twice",
        ),
    ],
)
def test_colours_without_a_meaning_are_refused(tmp_path: Path, meaning: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PaintedFolder(write(tmp_path, meaning), "train")


def test_an_unknown_colour_is_named_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, colours=[[9, 0, 0], [8, 0, 0]])
    with pytest.raises(UsageError, match=r"known classes in .*train/masks/a\.png, got \[8, 0, 0\]: give each colour"):
        PaintedFolder(tmp_path, "train")[0]
