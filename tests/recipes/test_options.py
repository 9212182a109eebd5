"""Options as text: sizes, ranges and lists, and what is no such thing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pupil.errors import UsageError
from pupil.recipes.options import (
    Classification,
    Lanes,
    Segmentation,
    parse_list,
    parse_numbers,
    parse_range,
    parse_seeds,
    parse_size,
)


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_size, "64x96", (64, 96)),
        (parse_size, "64X96", (64, 96)),
        (parse_range, "0.5:2", (0.5, 2.0)),
        (parse_range, "1:1", (1.0, 1.0)),
        (parse_list, "road, car,", ["road", "car"]),
        (parse_list, None, None),
        (parse_numbers, "1,2.5", [1.0, 2.5]),
        (parse_numbers, None, None),
    ],
)
def test_texts_become_values(parse: Callable[[Any], Any], text: str | None, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", "64", "64x", "x96", "64x96x3", "-64x96", "0x96", "6.4x9", "64 by 96"])
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected HEIGHTxWIDTH, got .*: for example 256x512"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "1", "1:2:3", "a:b", "0:1", "2:1", "-1:1", "nan:1"])
def test_malformed_ranges(text: str) -> None:
    with pytest.raises(UsageError, match=r"for example 0\.5:2\.0"):
        parse_range(text)


def test_malformed_numbers() -> None:
    with pytest.raises(UsageError, match="expected numbers separated by commas, got '1;2'"):
        parse_numbers("1;2")


def test_every_option_has_its_line_of_help_and_none_can_be_changed() -> None:
    for each in dataclasses.fields(Segmentation):
        assert each.metadata["help"]
        assert each.default is not dataclasses.MISSING
    with pytest.raises(dataclasses.FrozenInstanceError):
        Segmentation().steps = 3  # type: ignore[misc]


@pytest.mark.parametrize("text", ["0 1 2", "0,1,2", " 0, 1  2 "])
def test_seeds(text: str) -> None:
    assert parse_seeds(text) == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "one", "1 1", "-1", "1.5"])
def test_malformed_seeds(text: str) -> None:
    with pytest.raises(UsageError, match='for example --seeds "0 1 2"'):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (Segmentation, {"unlabelled_share": 1.0}, "expected unlabelled_share between 0 and 1, got 1.0: change"),
        (Classification, {"mixup": 1.0, "cutmix": 1.0}, "expected --mixup or --cutmix, got both: choose one"),
        (Lanes, {"smoothing": 4}, "expected an odd side of the box, 1 or more, got 4: change --smoothing"),
        (Lanes, {"threshold": 30.0}, "expected a threshold from 0 to below 1, got 30.0: change --threshold"),
    ],
)
def test_options_that_cannot_be_meant(kind: Any, given: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        kind(**given)
