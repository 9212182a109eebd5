"""The command keeps its promises: help costs no torch, and every command in the documentation exists."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer.main

from architecture.documents import commands
from pupil.cli import app

PROBE = """
import sys
from pupil.cli import main
try:
    main()
except SystemExit as end:
    print("code", end.code or 0, "torch", "torch" in sys.modules)
"""


@pytest.mark.parametrize("words", ["", "--help", "train --help", "train segmentation --help", "train voc-aicsd --help"])
def test_help_never_imports_torch(words: str) -> None:
    command = [sys.executable, "-c", PROBE, *words.split()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Usage:" in shown
    assert shown.splitlines()[-1] == "code 0 torch False"


def problem(words: list[str]) -> str | None:
    """What is wrong with a command: a word that is no command, or an option that its command does not know."""
    command = typer.main.get_command(app)
    words = list(words)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in command.commands:
            return f"no command {name!r}"
        command = command.commands[name]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return f"no option {unknown[0]!r}" if unknown else None


def test_documented_commands_exist() -> None:
    visited = commands()
    assert visited, "the documentation shows no command"
    problems = [f"{where}: pupil {' '.join(words)}: {found}" for where, words in visited if (found := problem(words))]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("demo --seeds 7", None),
        ("train segmentation --set temperature=4 --no-flip", None),
        ("demos", "no command 'demos'"),
        ("train segmentation --methd kd", "no option '--methd'"),
    ],
)
def test_a_wrong_command_would_be_found(words: str, expected: str | None) -> None:
    assert problem(words.split()) == expected
