"""What ids mean: from `classes.json`, from options, or from the masks themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.miniature import save
from pupil.data.classes import Classes, check_ids, names_from_masks, read_classes
from pupil.data.palette import distinct_colours
from pupil.errors import UsageError


def test_colours_are_chosen_where_none_are_given() -> None:
    assert Classes(("a", "b")).colours == distinct_colours(2)
    assert Classes(("a", "b"), ((1, 2, 3), (4, 5, 6))).colours == ((1, 2, 3), (4, 5, 6))


def test_a_last_name_for_the_ignored_id_is_no_class() -> None:
    known = Classes(("a", "b", "void"), ((1, 1, 1), (2, 2, 2), (0, 0, 0)), ignore_index=2)
    assert known.names == ("a", "b")
    assert known.colours == ((1, 1, 1), (2, 2, 2))
    assert Classes(("a", "b", "c"), ignore_index=1).names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ("a", "b"), "colours": ((1, 2, 3),)}, "a colour for each of 2 classes, got 1"),
        ({"names": ("a", "b", "a")}, "class names that differ, got a more than once"),
        ({"names": ()}, "at least one class"),
        ({"names": ("void",), "ignore_index": 0}, "at least one class beside the ignored one"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Classes(**arguments)


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_ids_are_classes_or_ignored(kind: Any) -> None:
    check_ids(kind([[0, 2, 9], [1, 1, 9]]), 3, 9, "a.png", "mend it")
    check_ids(kind([[-1, 2]]), 3, -1, "a.png", "mend it")
    with pytest.raises(UsageError) as caught:
        check_ids(kind([[3, 9, 0], [-2, 3, 4]]), 3, 9, "a.png", "mend it")
    assert str(caught.value) == ("expected label ids from 0 to 2 or the ignored 9 in a.png, got -2, 3, 4: mend it")


def test_the_file_gives_the_arguments_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    assert read_classes(path) == {}
    whole = {"classes": ["straße", "sky"], "colours": [[1, 2, 3], [4, 5, 6]], "ignore_index": 11}
    path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    found = read_classes(path)
    assert found == {"names": ("straße", "sky"), "colours": ((1, 2, 3), (4, 5, 6)), "ignore_index": 11}
    assert Classes(**found).ignore_index == 11
    path.write_text('{"ignore_index": 0}')
    assert read_classes(path) == {"ignore_index": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ('["road"]', r'expected .* to hold an object like \{"classes": \["road", "sky"\]\}'),
        ('{"class": ["a"]}', "unknown key 'class': did you mean classes"),
        ('{"colors": []}', "unknown key 'colors': did you mean colours"),
        ('{"classes": "road"}', "\"classes\" to be a list of names, got 'road'"),
        ('{"classes": []}', '"classes" to be a list of names'),
        ('{"classes": ["a", 1]}', '"classes" to be a list of names'),
        ('{"classes": ["a", "b"], "colours": [[1, 2, 3]]}', 'a colour for each of 2 "classes", got 1'),
        ('{"classes": ["a"], "colours": [[1, 2, 300]]}', r"\[red, green, blue\] from 0 to 255"),
        ('{"classes": ["a"], "colours": ["red"]}', r"\[red, green, blue\] from 0 to 255"),
        ('{"classes": ["a"], "ignore_index": "void"}', "\"ignore_index\" to be a whole number, got 'void'"),
        ('{"classes": ["a"], "ignore_index": true}', "to be a whole number, got True"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_classes(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_count_up_to_the_largest_id(tmp_path: Path) -> None:
    masks = [save(tmp_path / "a.png", [[0, 2], [255, 255]]), save(tmp_path / "b.png", [[255, 1]])]
    assert names_from_masks(masks, 255) == ("class 0", "class 1", "class 2")
    assert names_from_masks([save(tmp_path / "c.png", [[0, 1, 2, 3]])], 2) == tuple(f"class {k}" for k in range(4))


def test_ids_that_are_left_out_point_at_a_forgotten_ignored_id(tmp_path: Path) -> None:
    masks = [save(tmp_path / "a.png", [[0, 1, 2, 3, 9]])]
    with pytest.raises(UsageError, match=r"got none with 4, 5, 6, \.\.\.: pass --ignore-index 9 if that means"):
        names_from_masks(masks, 255)


@pytest.mark.parametrize(("ids", "found"), [([[255, 255]], "no class"), ([[0, 255]], "only class 0")])
def test_masks_of_one_class_are_refused(tmp_path: Path, ids: list[list[int]], found: str) -> None:
    with pytest.raises(
        UsageError, match=rf"at least two classes in the masks .*, got {found} beside the ignored id 255"
    ):
        names_from_masks([save(tmp_path / "a.png", ids)], 255)


def test_colours_may_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('{"colours": [[1, 2, 3], [4, 5, 6]]}')
    assert read_classes(tmp_path / "classes.json") == {"colours": ((1, 2, 3), (4, 5, 6))}
