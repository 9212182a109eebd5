"""The command in this process, as a shell would run it."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from pupil.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def pupil(*words: object) -> Ended:
    """Run `pupil WORDS` and return its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", ["pupil", *map(str, words)]):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Ended(int(code or 0), out.getvalue(), err.getvalue())


def train(*words: object) -> Ended:
    """Run `pupil train segmentation WORDS`, as small as it can be."""
    return pupil("train", "segmentation", "--smoke", "--device", "cpu", *words)
