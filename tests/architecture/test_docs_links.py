"""Every page is reached from the README or another page, and no link between files leads nowhere."""

from __future__ import annotations

import re

from architecture.documents import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# A link to a place in the same page, or to another site, is not a file's.
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
LINKS = [(page, (page.parent / link).resolve()) for page in PAGES for link in LINK.findall(page.read_text())]


def test_links_lead_somewhere() -> None:
    assert LINKS
    wrong = [f"{page.relative_to(ROOT)}: {target}" for page, target in LINKS if not target.exists()]
    assert not wrong, "\n".join(wrong)


def test_every_page_is_linked() -> None:
    linked = {target for _, target in LINKS}
    alone = [page.relative_to(ROOT) for page in PAGES if page.parent != ROOT and page.resolve() not in linked]
    assert not alone
