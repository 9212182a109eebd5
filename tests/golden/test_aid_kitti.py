"""KITTI's average precision, against values that the compiled development kit gives as well."""

from __future__ import annotations

import numpy as np
import pytest

from golden.reader import golden
from pupil.metrics.kitti import KITTIDetections, KITTILevel, KITTIObjects, KITTIRule, KITTIScores, kitti_scores

GOLDEN = golden("aid")
CASES = {case["name"]: case for case in GOLDEN.record["cases"] if case["name"].startswith("kitti")}
NEIGHBOURS = {"Car": ("Van",), "Pedestrian": ("Person_sitting",)}
READ: set[str] = set()


def arrays(case, kind):
    READ.update(case[kind].values())
    return {name: GOLDEN[place].numpy() for name, place in case[kind].items()}


def scores(case) -> KITTIScores:
    given, settings = arrays(case, "inputs"), case["hyperparameters"]
    types, classes = np.array(settings["gt_types"]), np.array(settings["classes"])
    predictions, targets = [], []
    for image in range(settings["images"]):
        mine, theirs = given["det_image"] == image, given["gt_image"] == image
        predictions.append(
            KITTIDetections(classes[given["det_class"][mine]], given["det_boxes"][mine], given["det_scores"][mine])
        )
        labels = (given[f"gt_{name}"][theirs] for name in ("boxes", "truncation", "occlusion"))
        targets.append(KITTIObjects(types[given["gt_type"][theirs]], *labels))
    overlaps = zip(settings["classes"], settings["min_overlap"], strict=True)
    limits = zip(settings["min_height"], settings["max_occlusion"], settings["max_truncation"], strict=True)
    return kitti_scores(
        predictions,
        targets,
        rules={name: KITTIRule(overlap, NEIGHBOURS.get(name, ())) for name, overlap in overlaps},
        levels={str(place): KITTILevel(*level) for place, level in enumerate(limits)},
    )


@pytest.mark.parametrize("name", CASES)
def test_average_precision_and_the_curve_behind_it(name):
    found, expected = scores(CASES[name]), arrays(CASES[name], "outputs")
    assert np.array_equal(found.objects, expected["num_valid_gt"])
    rtol = CASES[name]["suggested_rtol_float64"]
    np.testing.assert_allclose(found.precision, expected["precision"], rtol=rtol)
    np.testing.assert_allclose(100 * found.ap11, expected["ap11"], rtol=rtol)
    np.testing.assert_allclose(100 * found.ap40, expected["ap40"], rtol=rtol)


def test_every_array_was_read():
    named = {name for name in GOLDEN.record["arrays"] if name.startswith("kitti")}
    assert named
    assert named == READ
