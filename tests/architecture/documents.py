"""The code that readers copy: the examples, and the blocks of the README and the docs.

A block that cannot run here stands under `<!-- not run: reason -->`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n\s*)?^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.M | re.S
)

# By its name, or launched in several processes as `torchrun ... -m pupil ...`.
COMMAND = r"^(?:\$ )?(?:(?:torchrun|accelerate launch|python) [^\n]*-m )?pupil(?![\w-])([^\n#|]*)"


@dataclass(frozen=True)
class Block:
    """One block of code: its document, the line above its first, its language and its text."""

    document: str
    line: int
    language: str
    code: str


@cache
def blocks() -> tuple[Block, ...]:
    """Every block that can be run, of the README and everything in docs/."""
    found = []
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        text = path.read_text()
        for match in BLOCK.finditer(text):
            if not match["skip"]:
                line = text.count("\n", 0, match.start("code"))
                found.append(Block(str(path.relative_to(ROOT)), line, match["language"], match["code"]))
    return tuple(found)


def scripts() -> dict[str, str]:
    """Every example, and the python blocks of every document, in order, as one script with its own line numbers."""
    found = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.glob("examples/*.py"))}
    for block in blocks():
        if block.language == "python":
            before = found.get(block.document, "")
            found[block.document] = before + "\n" * (block.line - before.count("\n")) + block.code
    return found


def commands() -> list[tuple[str, list[str]]]:
    """Every `pupil ...` and `... -m pupil ...` command of the console blocks: where it stands, and its words."""
    consoles = [block for block in blocks() if block.language in {"console", "bash", "sh", "shell"}]
    return [
        (f"{block.document}:{block.line}", shlex.split(command))
        for block in consoles
        for command in re.findall(COMMAND, block.code.replace("\\\n", " "), re.M)
    ]
