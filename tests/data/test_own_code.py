from __future__ import annotations

from pathlib import Path

import pytest

from pupil.data.own_code import from_code, is_code
from pupil.errors import UsageError

MODULE = """
def pair(): return [1, 2], [3]
def listed(): return [[1, 2], [3]]
def single(): return 7
def three(): return 1, 2, 3
def text(): return "ab"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"own_{tmp_path.name}"
    Path(f"{name}.py").write_text(MODULE)
    return name


def test_code_is_what_has_a_colon_and_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b").mkdir()
    assert [is_code(spec) for spec in ("package.module:function", "a:b", "folder", "scenes", "c:d")] == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_two_data_sets_come_back(own: str) -> None:
    for name in ("pair", "listed"):
        assert from_code(f"{own}:{name}") == ([1, 2], [3])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("single", r"to return two data sets \(train, val\), got int"),
        ("three", r"to return two data sets \(train, val\), got tuple"),
        ("text", r"to return two data sets \(train, val\), got str"),
        ("missing", "missing"),
    ],
)
def test_anything_else_is_refused(own: str, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_code(f"{own}:{name}")


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="cannot import 'nobody_has_this'"):
        from_code("nobody_has_this:pair")
