"""The errors that the docs explain are those that the code raises: word for word, but for what is filled in."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from architecture.documents import ROOT

SOURCE = ROOT / "src" / "pupil"
SHOWN = [
    (path.name, line)
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    for line in re.findall(r"^(?:pupil|pupil\.errors\.UsageError): (.+)$", path.read_text(), re.M)
]
# Shorter ones, such as "{}: {}", would match anything.
LEAST = 18


@cache
def messages() -> list[re.Pattern[str]]:
    """Every text in the source, with anything where a value is filled in."""
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [each.value if isinstance(each, ast.Constant) else None for each in parts]
            said = [each for each in texts if isinstance(each, str)]
            if sum(map(len, said)) >= LEAST:
                pattern = "".join(".*" if each is None else re.escape(str(each)) for each in texts)
                found.append(re.compile(pattern))
    return found


def raised(line: str) -> bool:
    # Some say first whose fault it is: "teacher runs/big: expected ...".
    forms = (line, f"pupil: {line}", line.partition(": ")[2])
    return any(message.fullmatch(form) for message in messages() for form in forms)


@pytest.mark.parametrize(("document", "line"), SHOWN)
def test_a_documented_error_exists(document: str, line: str) -> None:
    assert raised(line), f"{document}: no error says {line!r}"


def test_errors_are_documented_and_a_changed_one_would_be_found() -> None:
    assert len(SHOWN) > 20
    assert not raised("expected a teacher with two heads, got one: grow another")
