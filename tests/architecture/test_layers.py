"""Imports run one way: each room imports only the rooms below it, and nothing goes in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "pupil"
WORDS = {"errors", "imports", "lesson", "numbers", "observations", "paper", "run", "text"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "imports": {"errors"},
    "lesson": {"errors", "functional"},
    "numbers": set(),
    "observations": set(),
    "paper": set(),
    "run": {"errors"},
    "text": {"errors"},
    "functional": set(),
    "networks": set(),
    "metrics": set(),
    "data": set(),
    "models": {"functional", "networks"},
    "tasks": {"functional", "metrics"},
    "losses": {"functional", "networks"},
    "taps": {"networks"},
    "schedules": set(),
    "distiller": {"taps", "schedules"},
    "teachers": {"taps", "networks", "functional"},
    "engine": {"distiller", "networks", "schedules", "tasks", "data"},
    "methods": {"losses", "teachers", "taps", "distiller", "schedules", "networks", "tasks", "data"},
}
BELOW["report"] = set(BELOW)
BELOW["recipes"] = {*BELOW, "report"}
BELOW["cli"] = {*BELOW, "recipes"}
BELOW["__main__"] = {"cli"}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms of ours that a file imports, anywhere in it, absolutely or relatively."""
    package = ["pupil", *path.relative_to(SOURCE).parts[:-1]]
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, node.module] if node.module else base)
            modules |= {prefix} if prefix.count(".") else {f"{prefix}.{alias.name}" for alias in node.names}
    return {module.split(".")[1] for module in modules if module.startswith("pupil.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_what_lies_below(path: Path) -> None:
    own = room(path)
    rooms = imported_rooms(path) - {own, "__version__"}
    words = set() if own in WORDS else WORDS
    assert rooms <= BELOW[own] | words


def test_the_order_has_no_circle() -> None:
    placed: set[str] = set()
    while placed != set(BELOW):
        free = {own for own in BELOW if own not in placed and BELOW[own] <= placed}
        assert free, f"a circle among {set(BELOW) - placed}"
        placed |= free


def test_every_room_was_visited() -> None:
    assert {room(path) for path in FILES} <= set(BELOW)
    assert len(FILES) > 10
