"""Names of items: the data set's own, or their numbers, and none is made before it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from pupil.data.names import Names, own_names


class Photos(list[int]):
    """Data of the reader's own, which may have names."""

    def __init__(self, count: int, names: Any = None) -> None:
        super().__init__(range(count))
        if names is not None:
            self.names = names


def test_each_part_has_its_own_names_or_numbers() -> None:
    names = Names(Photos(2), Photos(2, ["a.png", 7]), Photos(1))
    assert len(names) == 5
    assert [*names] == ["item 0 of Photos", "item 1 of Photos", "a.png", "7", "item 0 of Photos"]
    with pytest.raises(IndexError):
        names[5]


def test_names_of_names() -> None:
    inner = Photos(3, Names(Photos(1), Photos(2, ["x", "y"])))
    assert [*Names(inner)] == ["item 0 of Photos", "x", "y"]


@pytest.mark.parametrize("names", [("road", "car"), {}, lambda: ["a", "b", "c"]])
def test_what_are_no_names_of_items_is_passed_over(names: Any) -> None:
    photos = Photos(3, names)
    assert own_names(photos) is None
    assert Names(photos)[2] == "item 2 of Photos"


def test_no_name_is_made_before_it_is_asked_for() -> None:
    names = Names(range(10**12), range(10**12))
    assert len(names) == 2 * 10**12
    assert names[10**12 + 5] == "item 5 of range"
