"""A miniature of the real data layout, and a teacher trained on it, once for all tests that need them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from command import train
from data.miniature import write_split


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """A shell that runs the tests in the background has them ignore Ctrl-C, and all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nothing_stays_compiled() -> Iterator[None]:
    """The compiler counts what other tests compiled of the same code, and compiles anew or gives up after a few."""
    yield
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of three classes."""
    root = tmp_path_factory.mktemp("miniature")
    for split in ("train", "val"):
        write_split(root, split, size=(32, 48))
    return root


@pytest.fixture(scope="session")
def teacher(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a network trained on the miniature, by the command."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    ended = train("--data", miniature, "--size", "32x48", "--student", "pupil:small?width=8", "--out", folder)
    assert ended.code == 0, ended.err
    return folder
