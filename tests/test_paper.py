from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from pupil.paper import Paper

PAPER = Paper("A Title", "Doe et al.", "CVPR", 2020, "https://arxiv.org/abs/0000.00000", code="doe/title")


def test_reads_as_a_citation() -> None:
    assert str(PAPER) == 'Doe et al., "A Title", CVPR 2020'


def test_is_a_value() -> None:
    assert len({PAPER, Paper(**vars(PAPER))}) == 1
    with pytest.raises(FrozenInstanceError):
        PAPER.year = 2021  # type: ignore[misc]


def test_not_every_paper_released_code() -> None:
    assert Paper("A Title", "Doe", "preprint", 2021, "https://arxiv.org/abs/0000.00000").code is None
