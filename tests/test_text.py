"""One reading of typed values, for the options of methods and of models alike."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from pupil.errors import UsageError
from pupil.text import convert


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("3", int, 3),
        ("3", float, 3.0),
        ("3", str, "3"),
        ("3", None, 3),
        ("true", bool, True),
        ("False", bool | None, False),
        ("none", int | None, None),
        ("none", str, "none"),
        ("none", str | None, None),
        ("none", None, None),
        ("DEFAULT", None, "DEFAULT"),
        ("2.5", Any, 2.5),
        ("2.5", list[int], 2.5),
        ("true", "Unresolved", True),
        ("1", None, 1),
        ("1", bool, True),
        ("No", bool, False),
        ("full", Literal["full", "half"], "full"),
        ("none", Literal["none", "half"], "none"),
    ],
)
def test_converts_by_the_annotation(text: str, annotation: Any, value: Any) -> None:
    converted = convert(text, annotation)
    assert converted == value
    assert type(converted) is type(value)


def test_refuses_a_value_of_another_type() -> None:
    with pytest.raises(UsageError, match="expected a whole number or none for 'width', got 'wide'"):
        convert("wide", int | None, "width")


@pytest.mark.parametrize(
    ("text", "annotation", "message"),
    [
        ("2.5", int, "expected a whole number for 'width', got '2.5'"),
        ("hot", float | None, "expected a number or none for 'width', got 'hot'"),
        ("perhaps", bool, "expected true or false for 'width', got 'perhaps'"),
        ("haf", Literal["full", "half"], r"unknown value of 'width' 'haf': did you mean half\?"),
    ],
)
def test_says_what_was_expected(text: str, annotation: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convert(text, annotation, "width")
