"""docs/methods.md and docs/recipes.md say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("name", "function"), [("methods.md", "page"), ("recipes.md", "recipes_page")])
def test_the_page_is_what_the_docstrings_make_of_it(name: str, function: str) -> None:
    page = runpy.run_path(str(DOCS / "make.py"))[function]()
    assert (DOCS / name).read_text() == page, "run `python docs/make.py`"
