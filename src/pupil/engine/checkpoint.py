"""What a run needs to go on where it stopped: written in one piece, read without running code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from pupil.errors import UsageError

FILE = "checkpoint/state.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the state of a run; the previous one stands until the new one is whole on the disk.

    Args:
        folder: the run folder.
        state: tensors, numbers, strings, lists and dicts only.
    """
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the state of a run.

    Raises:
        UsageError: if there is none, or the file is broken or holds anything but plain data.
    """
    path = folder / FILE
    if not path.is_file():
        raise UsageError(f"expected a checkpoint at {str(path)!r}, got none: start over with --overwrite")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"expected a checkpoint in {str(path)!r}, got a broken file ({reason})") from None
    if not isinstance(state, dict):
        raise UsageError(f"expected a checkpoint in {str(path)!r}, got {type(state).__name__}: start over")
    return state
