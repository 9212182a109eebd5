"""Files that lists name: those that are missing and those that are no text are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.layouts import lines
from pupil.data.files import check_present, text_of
from pupil.errors import UsageError


def test_files_that_are_missing_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    paths = [lines(tmp_path / f"{index}.txt", ["one"]) for index in range(3)]
    check_present(paths)
    paths[1].unlink()
    nowhere = tmp_path / "nowhere" / "3.txt"
    message = r"expected every mask that is listed, got none for 2 of 4, first .*/1\.txt: unpack the masks there"
    with pytest.raises(UsageError, match=message):
        check_present([*paths, nowhere], "mask")


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    assert text_of(lines(tmp_path / "list.txt", ["one", "two"]), "a list") == "one\ntwo\n"
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"expected a list as text in .*list\.txt, got a broken file \(.*\): write it"):
        text_of(tmp_path / "list.txt", "a list", "write it again")
    with pytest.raises(
        UsageError, match=r"expected a list as text in .*, got a broken file \(.*irectory.*\): unpack it"
    ):
        text_of(tmp_path, "a list")
    with pytest.raises(FileNotFoundError):
        text_of(tmp_path / "nowhere.txt", "a list")
