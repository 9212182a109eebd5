"""What a run needs to go on where it stopped: written in one piece, read without running code."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        # Half a checkpoint is of no use, least of all on a full disk.
        partial.unlink(missing_ok=True)
        raise


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators that a training on this device draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what :func:`random_states` gave, as far as this device has such generators."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def has_checkpoint(folder: Path) -> bool:
    """Whether a run folder holds something to go on from: a whole checkpoint, not only its folder."""
    return (folder / FILE).is_file()


def load_checkpoint(folder: Path, kept: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read the state of a run, and give those objects their states that have kept one in it.

    Args:
        folder: the run folder.
        kept: objects with `load_state_dict`, by the name of their state.

    Raises:
        UsageError: if there is none, the file is broken or holds anything but plain data, or another training wrote it.
    """
    path = folder / FILE
    if not path.is_file():
        raise UsageError(f"expected a checkpoint at {str(path)!r}, got none: start over with --overwrite")
    try:
        with warnings.catch_warnings():
            # What torch warns of in a foreign file is no news beside the line below.
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise UsageError(
            f"expected a checkpoint of plain data in {str(path)!r}, got a broken or foreign file: "
            "start over with --overwrite"
        ) from error
    if not isinstance(state, dict):
        raise UsageError(
            f"expected a checkpoint in {str(path)!r}, got {type(state).__name__}: start over with --overwrite"
        )
    try:
        for name, each in (kept or {}).items():
            each.load_state_dict(state[name])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(
            f"expected a checkpoint of this training in {str(path)!r}, got another's, which does not fit {name}: "
            "repeat the command that began it, or start over with --overwrite"
        ) from error
    return state
