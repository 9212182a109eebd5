"""A layout is for data on disk, and is found by what lies there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pupil.data.layouts import fitting_layout, has_layout
from pupil.errors import UsageError

LAYOUTS = {
    name: SimpleNamespace(layout=f"a file {name}", fits=lambda root, name=name: (root / name).exists())
    for name in ("one", "two")
}


def test_what_has_a_layout() -> None:
    assert has_layout("folder", "auto", LAYOUTS)
    assert has_layout("folder", "two", LAYOUTS, drawn=["drawn"])
    for spec in ("drawn", "my:code"):
        assert not has_layout(spec, "auto", LAYOUTS, drawn=["drawn"])
        with pytest.raises(UsageError, match=f"expected --format with a data folder alone, got --data {spec}: leave"):
            has_layout(spec, "one", LAYOUTS, drawn=["drawn"])
    with pytest.raises(UsageError, match="unknown format 'tow': did you mean two"):
        has_layout("folder", "tow", LAYOUTS)


def test_the_one_that_fits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a file one \(one\); a file two \(two\); got an empty folder: name"):
        fitting_layout(tmp_path, LAYOUTS)
    (tmp_path / "val").mkdir()
    assert fitting_layout(tmp_path, LAYOUTS, plain="folder") == "folder"
    with pytest.raises(UsageError, match=r"; got val: name"):
        fitting_layout(tmp_path, LAYOUTS)
    (tmp_path / "two").touch()
    assert fitting_layout(tmp_path, LAYOUTS, plain="folder") == "two"
    (tmp_path / "one").touch()
    with pytest.raises(UsageError, match="got those of one, two: choose one with --format"):
        fitting_layout(tmp_path, LAYOUTS)
