"""docs/methods.md says what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_docstrings_make_of_it() -> None:
    page = runpy.run_path(str(DOCS / "make.py"))["page"]()
    assert (DOCS / "methods.md").read_text() == page, "run `python docs/make.py`"
