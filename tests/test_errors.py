from __future__ import annotations

import pytest

from pupil.errors import UsageError, listed, unknown

LAYERS = ["", "stem", "layer1", "layer2", "backbone.layer4", "fc"]


def test_a_usage_error_is_a_value_error() -> None:
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("layr2", "unknown layer 'layr2': did you mean layer2, layer1?"),
        ("layer4", "unknown layer 'layer4': did you mean backbone.layer4, layer2, layer1?"),
        ("LAYER4", "unknown layer 'LAYER4': did you mean backbone.layer4?"),
        ("zzz", "unknown layer 'zzz': expected one of stem, layer1, layer2, backbone.layer4, fc"),
    ],
)
def test_an_unknown_name_lists_the_close_ones_or_all(name: str, expected: str) -> None:
    error = unknown("layer", name, LAYERS)
    assert isinstance(error, UsageError)
    assert str(error) == expected


def test_a_long_list_is_cut() -> None:
    shown = str(unknown("method", "zzz", [f"name{i}" for i in range(40)]))
    assert shown.endswith("name11, ...")
    assert "name12" not in shown


def test_nothing_known_is_said_so() -> None:
    assert str(unknown("layer", "fc", [])) == "unknown layer 'fc': there is none"


def test_a_list_in_an_error_ends_early() -> None:
    assert listed([1, 2, 3]) == "1, 2, 3"
    assert listed("abcd") == "a, b, c, ..."
    assert listed("abcd", 4) == "a, b, c, d"
