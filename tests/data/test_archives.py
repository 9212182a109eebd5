from __future__ import annotations

import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from pupil.data.archives import Zipped, files_below
from pupil.errors import UsageError

TEXTS = {"b/2.txt": b"two", "a/1.txt": b"one", "a/deep/3.txt": b"three"}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The same files in a folder and in an archive."""
    folder, archive = tmp_path / "folder", tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for name, text in TEXTS.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)
            written.writestr(name, text)
        written.writestr("empty/", b"")
    return folder, archive


def test_a_folder_and_an_archive_hold_the_same_files(places: tuple[Path, Path]) -> None:
    for place in places:
        found = {"/".join(parts): file for parts, file in files_below(place)}
        assert set(found) == set(TEXTS)
        for name, file in found.items():
            with file.open("rb") as content:
                assert content.read() == TEXTS[name]
            assert (file.stem, file.suffix) == (Path(name).stem, ".txt")


def test_a_file_of_an_archive_is_named_with_it(places: tuple[Path, Path]) -> None:
    assert str(Zipped(places[1], "a/1.txt")) == f"{places[1]}/a/1.txt"


def test_processes_read_one_archive_at_once(places: tuple[Path, Path]) -> None:
    files = [Zipped(places[1], name) for name in sorted(TEXTS)] * 20
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert list(pool.map(content_of, files)) == [content_of(file) for file in files]


def content_of(file: Zipped) -> bytes:
    with file.open() as content:
        return content.read()


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"expected a zip archive at .*broken\.zip, got a file that is none"):
        list(files_below(tmp_path / "broken.zip"))
