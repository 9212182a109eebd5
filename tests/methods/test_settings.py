"""Options from text: converted by annotation, refused by name."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from pupil.errors import UsageError
from pupil.methods.settings import method_options, parse_settings


def method(
    student: object,
    *,
    weight: float | None = None,
    count: int = 3,
    layer: str | None = None,
    kind: Literal["full", "half"] = "full",
    normalise: bool = True,
) -> None: ...


def bare(student: object) -> None: ...


def test_options_are_the_keyword_only_arguments() -> None:
    assert list(method_options(method)) == ["weight", "count", "layer", "kind", "normalise"]
    assert method_options(bare) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("weight=2", {"weight": 2.0}),
        ("weight=None", {"weight": None}),
        ("weight=1e-3", {"weight": 0.001}),
        ("count=4", {"count": 4}),
        ("layer=decoder.fuse:in", {"layer": "decoder.fuse:in"}),
        ("layer=a=b", {"layer": "a=b"}),
        ("kind=half", {"kind": "half"}),
        ("normalise=No", {"normalise": False}),
        ("normalise=true", {"normalise": True}),
    ],
)
def test_values_follow_the_annotation(text: str, expected: dict[str, Any]) -> None:
    found = parse_settings(method, [text])
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weight", r"expected NAME=VALUE after --set, got 'weight'"),
        ("wieght=1", r"unknown option of method 'method' 'wieght': did you mean weight\?"),
        ("weight=heavy", r"expected a number or none for 'weight', got 'heavy'"),
        ("count=2.5", r"expected a whole number for 'count', got '2.5'"),
        ("kind=haf", r"unknown value of 'kind' 'haf': did you mean half"),
        ("normalise=perhaps", r"expected true or false for 'normalise', got 'perhaps'"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_settings(method, [text])


def test_a_method_without_options_takes_none() -> None:
    with pytest.raises(UsageError, match=r"expected no options for method 'bare', got 'a=1': leave it out"):
        parse_settings(bare, ["a=1"])
