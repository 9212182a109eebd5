"""Boxes are cut to their image, those without area are left out and counted, or refused by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pupil.data.detection.boxes import Annotation, box_table, class_labels, class_names
from pupil.errors import UsageError

SIZE = (40, 60)


def one(*boxes: list[float], **further: Any) -> Annotation:
    return Annotation(list(boxes), [1] * len(boxes), [False] * len(boxes), further)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([-5, -1, 70, 41], [0, 0, 60, 40]),
        ([-math.inf, 0, math.inf, 9], [0, 0, 60, 9]),
        ([3, 2, 3, 4], None),
        ([5, 2, 3, 4], None),
        ([5, 4, 7, 2], None),
        ([60, 0, 80, 9], None),
        ([0, -9, 9, 0], None),
        ([math.nan, 0, 9, 9], None),
        ([80, 0, -5, 9], None),
    ],
)
def test_each_kind_of_box(box: list[float], expected: list[float] | None) -> None:
    table, mended = box_table([one(box)], [SIZE], ["a.xml"], ignored=False)
    assert table.boxes.tolist() == ([] if expected is None else [expected])
    left_out = expected is None
    beside = box in ([60, 0, 80, 9], [0, -9, 9, 0])
    assert mended == (not left_out and expected != box, left_out and not beside, beside, "a.xml" if left_out else None)
    assert table.boxes.dtype == np.float32
    if box == expected:
        box_table([one(box)], [SIZE], ["a.xml"], ignored=False, strict=True)


def test_strict_names_file_and_box() -> None:
    annotations = [one([0, 0, 1, 1]), one([0, 0, 9, 9], [9, 9, 2, 12])]
    with pytest.raises(UsageError, match=r"inside the 60x40 image in b\.xml, got \[9\.0, 9\.0, 2\.0, 12\.0\] as box 2"):
        box_table(annotations, [SIZE] * 2, ["a.xml", "b.xml"], ignored=False, strict=True)


def test_rows_belong_to_their_images() -> None:
    annotations = [one([0, 0, 1, 1], [9, 9, 2, 2], score=[1, 2]), one(score=[]), one([0, 0, 2, 2], score=[3])]
    table, mended = box_table(annotations, [SIZE] * 3, "abc", ignored=False)
    assert [table.boxes[table.rows(image)].tolist() for image in range(3)] == [[[0, 0, 1, 1]], [], [[0, 0, 2, 2]]]
    assert table.further["score"].tolist() == [1, 3]
    assert table.further["area"].tolist() == [1, 4]
    assert mended == (0, 1, 0, "a")


def test_boxes_that_are_not_to_train_on_and_an_area_that_is_said() -> None:
    both = Annotation([[0, 0, 5, 5], [0, 0, 9, 9]], [1, 0], [False, True], {"area": np.array([7, 8], np.float32)})
    for ignored, labels, area in ((False, [1], [7]), (True, [1, 0], [7, 8])):
        table, mended = box_table([both], [SIZE], ["a"], ignored=ignored)
        assert (table.labels.tolist(), table.further["area"].tolist(), mended) == (labels, area, (0, 0, 0, None))


def test_no_images_and_no_boxes() -> None:
    assert len(box_table([], [], [], ignored=False)[0].boxes) == 0
    table, _ = box_table([one()], [SIZE], ["a"], ignored=True)
    assert table.boxes.shape == (0, 4)
    assert table.labels.dtype == np.int64


def test_classes() -> None:
    assert class_labels(["b", "a", "b"], ("a", "b"), "one.xml") == [2, 1, 2]
    with pytest.raises(UsageError, match=r"one\.xml: unknown class 'cra': did you mean car"):
        class_labels(["cra"], ("car", "person"), "one.xml")
    with pytest.raises(UsageError, match=r"expected class names that differ in d, got 'a' twice"):
        class_names(["a", "b", "a"], "d")
    with pytest.raises(UsageError, match="got none"):
        class_names([], "d")
