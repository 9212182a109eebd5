"""Writes docs/methods.md from the docstrings and papers of the methods and losses.

python docs/make.py
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pupil.losses
from pupil.methods import ALIASES, NAMES, load_method
from pupil.methods.settings import method_options
from pupil.paper import Paper

PAGE = Path(__file__).parent / "methods.md"
LEAD = """# Methods

Written by `python docs/make.py` from the docstrings and the papers in the code. `--method NAME` chooses a method,
`--set NAME=VALUE` sets an option.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([LEAD, *map(method_section, NAMES), "## Losses\n", losses_table()]) + "\n"


def method_section(name: str) -> str:
    """One method: its docstring without the arguments, its options, its source."""
    method = load_method(name)
    sentence, _, rest = (inspect.getdoc(method) or "").partition("\n\n")
    formula = rest.partition("\n\nArgs:")[0]
    options = [f"`{option}={each.default}`" for option, each in method_options(method).items()]
    short = [alias for alias, full in ALIASES.items() if full == name]
    paper = getattr(import_module(method.__module__), "PAPER", None)
    lines = [f"## {name}" + (f" ({', '.join(short)})" if short else ""), "", sentence, "", f"    {formula}", ""]
    lines += [f"Options: {', '.join(options)}", ""] if options else []
    lines += [cited(paper), ""] if paper else []
    return "\n".join(lines)


def losses_table() -> str:
    """Every exported loss with its function's first sentence and its source."""
    functions = {name.replace("_", ""): name for name in pupil.losses.__all__ if name.endswith("_loss")}
    rows = []
    for name in sorted((each for each in pupil.losses.__all__ if each[0].isupper()), key=str.lower):
        function = getattr(pupil.losses, functions[name.lower()])
        sentence = (inspect.getdoc(function) or "").splitlines()[0].rstrip(".")
        rows.append(f"| `{name}` `{function.__name__}` | {sentence} | {cited(getattr(pupil.losses, name).paper)} |")
    return "\n".join(["| loss | what it is | source |", "|---|---|---|", *rows])


def cited(paper: Paper) -> str:
    """The citation with links to the paper and to the authors' code."""
    code = f", code [{paper.code}](https://github.com/{paper.code})" if paper.code else ""
    return f"[{paper}]({paper.url}){code}"


if __name__ == "__main__":
    PAGE.write_text(page())
