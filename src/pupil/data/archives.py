"""Files in a folder or in a zip archive, by the folder that each lies in."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

from pupil.errors import UsageError


@dataclass(frozen=True)
class Zipped:
    """One file of a zip archive, used like a path.

    Args:
        archive: the archive.
        inside: the file's name in it.
    """

    archive: Path
    inside: str

    @property
    def stem(self) -> str:
        return PurePosixPath(self.inside).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.inside).suffix

    def open(self, mode: str = "rb") -> IO[bytes]:
        """The file's bytes."""
        return _reader(self.archive, os.getpid()).open(self.inside)

    def __str__(self) -> str:
        return f"{self.archive}/{self.inside}"


File = Path | Zipped


def files_below(place: Path) -> Iterator[tuple[tuple[str, ...], File]]:
    """Every file of a folder or an archive, in order, with the parts of its path from there on.

    Raises:
        UsageError: for an archive that cannot be read.
    """
    if place.is_dir():
        for folder, folders, names in os.walk(place, followlinks=True):
            folders.sort()
            parts = Path(folder).relative_to(place).parts
            yield from (((*parts, name), Path(folder, name)) for name in sorted(names))
        return
    try:
        names = sorted(_reader(place, os.getpid()).namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"expected a zip archive at {place}, got a file that is none ({error}): fetch it again"
        ) from None
    yield from ((PurePosixPath(name).parts, Zipped(place, name)) for name in names if not name.endswith("/"))


@lru_cache(maxsize=8)
def _reader(archive: Path, process: int) -> zipfile.ZipFile:
    # One for each process: a worker that shared its parent's would move the place where the other reads.
    return zipfile.ZipFile(archive)
