"""Reads golden values: arrays, cases and hyper-parameters from files, never from a test's text.

`PUPIL_GOLDEN` points at another folder of the same form (other seeds, sizes, temperatures). A file of tests
reads one golden file and ends with a test that calls `unread()`: an array that nobody compared fails it.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(os.environ.get("PUPIL_GOLDEN", Path(__file__).parent / "data"))


class Golden:
    """One golden file; `golden["name"]` reads an array as a tensor and remembers that it was read."""

    def __init__(self, name: str) -> None:
        self.record: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
        with np.load(FOLDER / f"{name}.npz") as arrays:
            self._arrays = {key: arrays[key] for key in arrays.files}
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self._read.add(name)
        return torch.from_numpy(np.array(self._arrays[name]))

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    @property
    def cases(self) -> dict[str, dict[str, Any]]:
        return {case["case"]: case for case in self.record["cases"]}

    def matches(self, pattern: str) -> list[dict[str, str]]:
        """The named groups of every array name that fits the whole pattern: how a test finds its cases."""
        found = (re.fullmatch(pattern, name) for name in self._arrays)
        return [match.groupdict() for match in found if match]

    def unread(self) -> set[str]:
        return set(self._arrays) - self._read


@cache
def golden(name: str) -> Golden:
    """The one reader of a file, shared by all tests of a process."""
    return Golden(name)


def number(text: str) -> float:
    """A number inside an array's name: "4" is 4, "2.5" is 2.5 and "01" is 0.1."""
    return float(f"0.{text[1:]}") if re.fullmatch(r"0\d+", text) else float(text)


def suffix(dtype: torch.dtype) -> str:
    """How the names of arrays end that were computed in this type."""
    return "f64" if dtype == torch.float64 else "f32"


def leaf(array: Tensor, dtype: torch.dtype) -> Tensor:
    """The array as a student's tensor: promoted to the type under test, and waiting for a gradient."""
    return array.to(dtype).requires_grad_()


def assert_value(ours: Tensor, theirs: Tensor) -> None:
    """Value parity: rtol 1e-9 in float64, 1e-4 in float32."""
    rtol = 1e-9 if ours.dtype == torch.float64 else 1e-4
    torch.testing.assert_close(ours.detach(), theirs.to(ours.dtype), rtol=rtol, atol=1e-15)


def assert_gradient(ours: Tensor | None, theirs: Tensor) -> None:
    """Gradient parity, relative to the largest entry: 1e-9 in float64, 1e-3 in float32."""
    assert ours is not None
    tolerance = 1e-9 if ours.dtype == torch.float64 else 1e-3
    scale = max(float(theirs.abs().max()), torch.finfo(torch.float64).tiny)
    torch.testing.assert_close(ours / scale, theirs.to(ours.dtype) / scale, rtol=0, atol=tolerance)
