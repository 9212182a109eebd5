"""Writes docs/methods.md and docs/recipes.md from the docstrings, papers and options in the code.

python docs/make.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import pupil.losses
from pupil.methods import ALIASES, NAMES, load_method, paper_of
from pupil.methods.settings import method_options
from pupil.paper import Paper
from pupil.recipes import PAPERS, classification, detection, lanes, segmentation
from pupil.recipes.options import as_command
from pupil.recipes.paper import general

DOCS = Path(__file__).parent
LEAD = """# Methods

Written by `python docs/make.py` from the docstrings and the papers in the code. `--method NAME` chooses a method,
`--set NAME=VALUE` sets an option.
"""
RECIPES = """# Recipes

Written by `python docs/make.py` from the docstrings and the options in the code. A recipe is a training with its own
defaults, any of which its flags change: `pupil recipes` lists them, `pupil train RECIPE --help` shows the flags, and
`--smoke` tries one in four steps.

{general} take any data, networks and method. The others fix a paper's numbers.
"""
GENERAL = (segmentation, classification, lanes, detection)


def recipes_page() -> str:
    """The page of recipes as Markdown."""
    *first, last = (f"`{module.NAME}`" for module in GENERAL)
    lead = RECIPES.format(general=f"{', '.join(first)} and {last}")
    return "\n".join([lead, *map(recipe_section, GENERAL), *map(paper_section, PAPERS)]).rstrip() + "\n"


def recipe_section(module: ModuleType) -> str:
    """One recipe: its docstring without the arguments."""
    recipe = getattr(module, module.NAME.replace("-", "_"))
    return "\n".join([f"## {module.NAME}", "", described(inspect.getdoc(recipe) or ""), ""])


def paper_section(module: ModuleType) -> str:
    """One paper's recipe, and its options as a command."""
    own = general(module.PUBLISHED).NAME
    command = as_command(own, module.PUBLISHED)
    lead = f"The same options on the recipe `{own}`, for any data:"
    return "\n".join([recipe_section(module), lead, "", "```", command, "```", ""])


def described(text: str) -> str:
    """A docstring as Markdown: its lines `Name: value` become a list, references become code."""
    text = re.sub(r":(?:func|class|mod):`(?:[\w.]*\.)?(\w+)`", r"`\1`", text.partition("\n\nArgs:")[0])
    parts = []
    for part in text.split("\n\n"):
        named = re.match(r"[A-Z][a-z ]+: ", part) and not part.endswith(":")
        lines = [f"- {line}" if re.match(r"[A-Z][a-z ]+: ", line) else f"  {line}" for line in part.splitlines()]
        parts.append("\n".join(lines) if named else part)
    return "\n\n".join(parts)


def page() -> str:
    """The page of methods and losses as Markdown."""
    return "\n".join([LEAD, *map(method_section, NAMES), "## Losses\n", losses_table()]) + "\n"


def method_section(name: str) -> str:
    """One method: its docstring without the arguments, its options, its source."""
    method = load_method(name)
    sentence, _, rest = (inspect.getdoc(method) or "").partition("\n\n")
    formula = rest.partition("\n\nArgs:")[0]
    options = [f"`{option}={each.default}`" for option, each in method_options(method).items()]
    short = [alias for alias, full in ALIASES.items() if full == name]
    paper = paper_of(name)
    lines = [f"## {name}" + (f" ({', '.join(short)})" if short else ""), "", sentence, "", f"    {formula}", ""]
    lines += [f"Options: {', '.join(options)}", ""] if options else []
    lines += [cited(paper), ""] if paper else []
    return "\n".join(lines)


def losses_table() -> str:
    """Every exported loss with its first sentence and its source."""
    functions = {name.replace("_", ""): name for name in pupil.losses.__all__ if name.endswith("_loss")}
    rows = []
    for name in sorted((each for each in pupil.losses.__all__ if each[0].isupper()), key=str.lower):
        loss, own = getattr(pupil.losses, name), functions.get(name.lower())
        # A loss made of other losses has no function of its own.
        sentence = (inspect.getdoc(getattr(pupil.losses, own) if own else loss) or "").splitlines()[0].rstrip(".")
        names = f"`{name}` `{own}`" if own else f"`{name}`"
        rows.append(f"| {names} | {sentence} | {cited(loss.paper)} |")
    return "\n".join(["| loss | what it is | source |", "|---|---|---|", *rows])


def cited(paper: Paper) -> str:
    """The citation with links to the paper and to the authors' code."""
    code = f", code [{paper.code}](https://github.com/{paper.code})" if paper.code else ""
    return f"[{paper}]({paper.url}){code}"


if __name__ == "__main__":
    (DOCS / "methods.md").write_text(page())
    (DOCS / "recipes.md").write_text(recipes_page())
