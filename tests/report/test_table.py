from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from pupil.report.table import Table


def printed(table: Table, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(table.to_rich())
    return file.getvalue()


def test_markdown_holds_every_number(comparison: list[dict[str, Any]]) -> None:
    lines = Table(comparison).to_markdown().splitlines()
    assert lines[0] == (
        "| model | mIoU | gain | parameters | ms/image | steps | seconds | seeds | gain at seed 0, 1, 2 |"
    )
    assert lines[2:] == [
        "| teacher | 80.0 | - | 2 M | 10.0 | 400 | 20.0 | 1 | - |",
        "| none | 62.0 ± 2.0 | - | 25 k | 1.25 | 400 | 20.0 | 3 | - |",
        "| none-seconds | 63.0 | +1.0 | 25 k | 1.25 | 800 | 20.0 | 1 | -, +1.0, - |",
        "| aicsd | 65.0 ± 3.0 | +3.0 ± 1.0 | 25 k | 1.25 | 400 | 20.0 | 3 | +2.0, +3.0, +4.0 |",
        "| kd | 61.0 ± 2.0 | -1.0 ± 2.0 | 25 k | 1.25 | 400 | 20.0 | 3 | -1.0, +1.0, -3.0 |",
    ]


def test_the_terminal_shows_misses_and_seeds(comparison: list[dict[str, Any]]) -> None:
    lines = [line.split() for line in printed(Table(comparison)).splitlines()]
    assert ["kd", "61.0", "±", "2.0", "-1.0", "±", "2.0", "25", "k", "1.25", "400", "20.0", "3"] in lines
    assert ["gain", "at", "seed", "0", "1", "2"] in lines
    assert ["none-seconds", "-", "+1.0", "-"] in lines
    assert ["kd", "-1.0", "+1.0", "-3.0"] in lines


def test_nothing_is_cut_off_at_80_columns(summary: Callable[..., dict[str, Any]]) -> None:
    runs = [summary("none", seed, 0.30 + 0.1 * seed) for seed in range(3)]
    runs += [summary("label-smoothing", seed, 0.50 + 0.2 * seed, steps=123_456, seconds=86_400.0) for seed in range(3)]
    text = printed(Table(runs))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for cell in ("70.0 ± 20.0", "+30.0 ± 10.0", "123456", "86400"):
        assert cell in text


def test_no_colours_where_there_is_no_terminal(comparison: list[dict[str, Any]]) -> None:
    assert "\x1b" not in printed(Table(comparison))


def test_names_are_text_not_markup(summary: Callable[..., dict[str, Any]]) -> None:
    table = Table([summary("[red]a|b", 0, 0.5)])
    assert "[red]a|b" in printed(table, width=120)
    assert r"| [red]a\|b | 50.0 |" in table.to_markdown()


def test_unmeasured_numbers_are_dashes(summary: Callable[..., dict[str, Any]]) -> None:
    run = summary("none", 0, 0.5)
    del run["milliseconds_per_image"]
    assert Table([run]).to_markdown().splitlines()[-1] == "| none | 50.0 | - | 25 k | - | 400 | 20.0 | 1 | - |"


def test_scores_and_gains_by_seed(comparison: list[dict[str, Any]]) -> None:
    table = Table(comparison)
    rows = {row.label: row for row in table.rows}
    assert table.by_seed(rows["none-seconds"]) == [("-", "-"), ("63.0", "+1.0"), ("-", "-")]
    assert table.by_seed(rows["kd"]) == [("59.0", "-1.0"), ("63.0", "+1.0"), ("61.0", "-3.0")]
