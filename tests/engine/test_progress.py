from __future__ import annotations

import io

import pytest
from rich.console import Console

from pupil.engine.progress import ProgressLines


def shown(terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=60, color_system=None)
    with ProgressLines("kd (seed 0)", 3, console=console) as progress:
        progress.skip(1)
        progress.step()
        progress.status("task 0.5")
        progress.say("[bold] step 2/3  miou 0.2500, a line that is longer than the terminal is wide")
        progress.step()
    return file.getvalue()


def test_without_a_terminal_everything_is_a_plain_line() -> None:
    assert shown(terminal=False).splitlines() == [
        "kd (seed 0)  task 0.5",
        "[bold] step 2/3  miou 0.2500, a line that is longer than the terminal is wide",
    ]


def test_on_a_terminal_there_is_a_bar_and_said_lines_stay() -> None:
    text = shown(terminal=True)
    assert "3/3" in text
    assert "[bold] step 2/3" in text
    assert "kd (seed 0)  task 0.5" not in text


def test_the_bar_goes_away_when_training_fails() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    progress = ProgressLines("none", 3, console=console)
    with pytest.raises(RuntimeError, match="inside"), progress:
        raise RuntimeError("inside")
    assert progress._bar is not None
    assert progress._bar.finished is False
    assert not progress._bar.live.is_started
