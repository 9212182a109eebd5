"""Which of a task's layouts a folder has: as it is told, or as what lies in it shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pupil.data.own_code import is_code
from pupil.errors import UsageError, listed, unknown

AUTO = "auto"


def has_layout(spec: str, format: str, known: Collection[str], *, drawn: Collection[str] = ()) -> bool:
    """Whether a text names data on disk, which alone have a layout: neither drawn scenes nor the reader's own code.

    Args:
        spec: the text.
        format: of the layout, or "auto".
        known: the names of the layouts.
        drawn: what drawn scenes are called.

    Raises:
        UsageError: for a layout that is none, or one of data that have none.
    """
    if spec not in drawn and not is_code(spec):
        if format not in (AUTO, *known):
            raise unknown("format", format, (AUTO, *known))
        return True
    if format != AUTO:
        raise UsageError(f"expected --format with a data folder alone, got --data {spec}: leave it out")
    return False


def fitting_layout(root: Path, layouts: Mapping[str, Any], *, plain: str | None = None) -> str:
    """The name of the layout that a folder has.

    Args:
        root: the folder.
        layouts: by name; each says whether it `fits` a folder, and in `layout` what it looks for.
        plain: the one that a folder of splits has which fits none; its reader says what is missing.

    Raises:
        UsageError: for no folder, and one that fits no layout or several.
    """
    if not root.is_dir():
        raise UsageError(f"expected a folder of data at {root}, got nothing there: pass --data DIR")
    fitting = [name for name, kind in layouts.items() if kind.fits(root)]
    if len(fitting) > 1:
        raise UsageError(f"expected one layout in {root}, got those of {listed(fitting)}: choose one with --format")
    if fitting:
        return fitting[0]
    if plain and any((root / split).is_dir() for split in ("train", "val")):
        return plain
    looked = "; ".join(f"{kind.layout} ({name})" for name, kind in layouts.items())
    there = sorted(path.name for path in root.iterdir())
    raise UsageError(
        f"expected one of these in {root}: {looked}; got {listed(there, 8) or 'an empty folder'}: "
        "name the folder that has them, or arrange yours so"
    )
