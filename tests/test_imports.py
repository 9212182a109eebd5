from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pupil.errors import UsageError
from pupil.imports import called, import_function, import_package


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_code_beside_the_reader_is_found(folder: Path) -> None:
    (folder / "networks_of_mine.py").write_text("def small(classes):\n    return classes + 1\n")
    assert import_function("networks_of_mine:small")(2) == 3


def test_code_in_a_package_is_found(folder: Path) -> None:
    (folder / "package_of_mine").mkdir()
    (folder / "package_of_mine" / "nets.py").write_text("class Net:\n    pass\n")
    assert import_function("package_of_mine.nets:Net").__name__ == "Net"


@pytest.mark.parametrize("spec", ["mymodels", "mymodels:", ":small", ""])
def test_a_spec_has_two_parts(spec: str) -> None:
    with pytest.raises(UsageError, match=r"expected package.module:function, got .*: for example mymodels:small"):
        import_function(spec)


def test_a_missing_module_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot import 'not_there_at_all': there is no module 'not_there_at_all' in"):
        import_function("not_there_at_all:small")


def test_a_missing_dependency_is_named_not_the_module_itself(folder: Path) -> None:
    (folder / "needs_more.py").write_text("import not_there_either\n")
    with pytest.raises(UsageError, match="cannot import 'needs_more': there is no module 'not_there_either'"):
        import_function("needs_more:small")


@pytest.mark.parametrize(
    ("code", "expected"),
    [("def small(:\n", "SyntaxError"), ("raise RuntimeError('no licence')\n", "RuntimeError: no licence")],
)
def test_an_error_inside_the_module_is_told(folder: Path, code: str, expected: str) -> None:
    (folder / "broken_of_mine.py").write_text(code)
    with pytest.raises(UsageError, match=f"cannot import 'broken_of_mine': {expected}"):
        import_function("broken_of_mine:small")


def test_a_mistyped_function_gets_the_close_names() -> None:
    with pytest.raises(UsageError, match="unknown function in math 'flor': did you mean floor"):
        import_function("math:flor")


def test_a_value_is_no_function() -> None:
    with pytest.raises(UsageError, match="unknown function in math 'pi'"):
        import_function("math:pi")


def test_a_function_that_raises_is_told_with_the_place(folder: Path) -> None:
    (folder / "raises_of_mine.py").write_text("import json\n\n\ndef small(text):\n    return json.loads(text)\n")
    function = import_function("raises_of_mine:small")
    assert called("raises_of_mine:small", function, text="[1]") == [1]
    # The line is the reader's own, not that of the library below.
    message = r"^cannot run .*:small: it raised JSONDecodeError: Expecting.* \(.*raises_of_mine\.py, line 5\)$"
    with pytest.raises(UsageError, match=message) as caught:
        called("raises_of_mine:small", function, text="x\n")
    assert caught.value.__suppress_context__


def test_the_file_of_a_module_is_answered_with_its_name() -> None:
    with pytest.raises(UsageError, match=r"not of its file, got 'nets/mine\.py:small': write nets\.mine:small$"):
        import_function("nets/mine.py:small")


def test_a_package_that_is_not_installed_is_named_with_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "half_a_package.py").write_text("import missing_part_of_it\n")
    with pytest.raises(UsageError, match=r'^expected no_such for x:y, got no such .*: pip install "pupil-kd\[big\]"$'):
        import_package("no_such.part", "big", "x:y")
    # A package that is there and broken is not ours to explain.
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ModuleNotFoundError, match="missing_part_of_it"):
        import_package("half_a_package", "big", "x:y")
