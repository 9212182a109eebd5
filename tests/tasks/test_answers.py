from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.tasks.answers import logits_in

LOGITS, AUXILIARY = torch.zeros(1, 2), torch.ones(1, 2)


@pytest.mark.parametrize(
    ("answer", "auxiliary"),
    [
        (LOGITS, None),
        ({"out": LOGITS, "aux": AUXILIARY}, AUXILIARY),
        ({"logits": LOGITS, "auxiliary_logits": AUXILIARY}, AUXILIARY),
        ((LOGITS, AUXILIARY), AUXILIARY),
        ([LOGITS], None),
    ],
)
def test_logits_are_found_in_every_form(answer: object, auxiliary: object) -> None:
    logits, found = logits_in(answer)
    assert logits is LOGITS
    assert found is auxiliary


@pytest.mark.parametrize("answer", [None, {}, {"scores": LOGITS}, (), (LOGITS, "text")])
def test_anything_else_is_refused(answer: object) -> None:
    with pytest.raises(UsageError, match=r"expected a tensor, a dict with 'out' or 'logits', or a tuple of tensors"):
        logits_in(answer)
