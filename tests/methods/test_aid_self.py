"""AID from a detector of the student's own architecture, and from no other."""

from __future__ import annotations

import pytest
import torch

from methods.detectors import narrow, pair, planned
from pupil.errors import UsageError
from tasks.detection.detectors import batch, detector


def test_it_is_aid() -> None:
    options = {"alpha": 0.7, "granularity": "image", "setting": "aid_one_stage"}
    values = [pair(name, **options)(*batch())["aid"] for name in ("aid", "aid-self")]
    assert torch.equal(*values)
    assert pair("aid-self", reduction="batch_norm", granularity="batch")(*batch())["aid"].isfinite()


@pytest.mark.parametrize(
    ("student", "where"), [(narrow("retinanet"), "backbone.out.0.weight"), (detector("fcos"), "head.")]
)
def test_another_architecture_is_refused(student: torch.nn.Module, where: str) -> None:
    message = f"the student's own architecture for method 'aid-self', got other weights at {where}.*: use --method aid$"
    with pytest.raises(UsageError, match=message):
        planned("aid-self", student, detector("retinanet", 1))
