"""Where a method comes from: the record behind every citation table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A publication and, where there is one, its authors' code.

    Args:
        title: full title.
        authors: "First Author et al." or the full list.
        venue: conference or journal, or "preprint".
        year: year of that venue.
        url: arXiv or publisher page.
        code: the authors' repository as "owner/name", or None where none was released.

    Example:
        >>> print(Paper("A Title", "Doe et al.", "CVPR", 2020, "https://arxiv.org/abs/0000.00000"))
        Doe et al., "A Title", CVPR 2020
    """

    title: str
    authors: str
    venue: str
    year: int
    url: str
    code: str | None = None

    def __str__(self) -> str:
        return f'{self.authors}, "{self.title}", {self.venue} {self.year}'
