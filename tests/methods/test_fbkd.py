"""The three parts of FBKD with the published factors of the student's kind."""

from __future__ import annotations

import pytest
import torch

from methods.detectors import pair
from pupil.errors import UsageError
from pupil.losses.fbkd import SETTINGS
from pupil.methods.fbkd import fbkd_of
from pupil.tasks.detection import DetectorRecord
from tasks.detection.detectors import KINDS, batch


@pytest.mark.parametrize("kind", KINDS)
def test_the_setting_is_that_of_the_student(kind: str) -> None:
    loss = pair("fbkd", kind).terms["fbkd"].loss
    assert loss.setting == SETTINGS["two_stage" if kind == "faster_rcnn" else "one_stage"]
    assert list(loss.levels) == ["p3", "p4", "p5"]


@pytest.mark.parametrize(("two_stage", "published"), [(False, "one_stage"), (True, "two_stage")])
def test_a_detector_of_the_readers_own_says_whether_it_has_two_stages(two_stage: bool, published: str) -> None:
    record = DetectorRecord(("p3",), two_stage=two_stage)
    options = {"setting": None, "reduction": "image_mean", "variant": "code"}
    assert fbkd_of({"p3": (4, 8)}, record, **options).setting == SETTINGS[published]


def test_another_setting_on_request() -> None:
    assert pair("fbkd", setting="aid_two_stage").terms["fbkd"].loss.setting == SETTINGS["aid_two_stage"]
    with pytest.raises(UsageError, match="unknown setting 'onestage': did you mean one_stage"):
        pair("fbkd", setting="onestage")


def test_one_norm_over_the_batch_is_larger_than_the_mean_of_one_an_image() -> None:
    values = []
    for reduction in ("image_mean", "batch_norm"):
        distiller = pair("fbkd", reduction=reduction)
        values.append(distiller.terms["fbkd"](distiller.lesson(*batch())))
    # Of three images alike it would be sqrt(3) times as much.
    assert values[0] * 3**0.5 * 0.999 < values[1]
    torch.testing.assert_close(values[0] * 3**0.5, values[1], rtol=0.2, atol=0.0)
