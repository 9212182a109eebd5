"""Files that lists name: whether they are there, and what those of text say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pupil.errors import UsageError


def check_present(paths: Sequence[Path], what: str = "image") -> None:
    """That files are there; a folder is listed once, not asked for each.

    Args:
        paths: the files.
        what: what each is, for the error.

    Raises:
        UsageError: for those that are not.
    """
    folders = {path.parent for path in paths}
    present = {folder: {file.name for file in folder.iterdir()} for folder in folders if folder.is_dir()}
    missing = [path for path in paths if path.name not in present.get(path.parent, ())]
    if missing:
        raise UsageError(
            f"expected every {what} that is listed, got none for {len(missing)} of {len(paths)}, first {missing[0]}: "
            f"unpack the {what}s there"
        )


def text_of(path: Path, what: str, remedy: str = "unpack it again") -> str:
    """What a file of UTF-8 says.

    Args:
        path: the file.
        what: what it is, for the error.
        remedy: what to do where it is no text.

    Raises:
        UsageError: it is no text, or may not be read.
        FileNotFoundError: it is not there, for the caller to say what that means.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"expected {what} as text in {path}, got a broken file ({error}): {remedy}") from None
