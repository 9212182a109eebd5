"""Pascal VOC's average precision: examples worked by hand, and the rules once more as plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from pupil.errors import UsageError
from pupil.metrics.voc import VOCDetections, VOCObjects, voc_scores


def box(place: float) -> list[float]:
    """One of many boxes of side 10 that do not touch at whole places."""
    return [20.0 * place, 0, 20.0 * place + 10, 10]


def ap(found, objects, difficult=()):
    """`found` is (place, score)s, `objects` are places."""
    marks = [place in difficult for place in objects]
    detections = VOCDetections([1] * len(found), [box(place) for place, _ in found], [score for _, score in found])
    return voc_scores([detections], [VOCObjects([1] * len(objects), list(map(box, objects)), marks)], 1).ap[0]


def test_by_hand():
    assert ap([(0, 0.9), (1, 0.8)], [0, 1]) == 1
    assert ap([(0, 0.9), (5, 0.8), (1, 0.7)], [0, 1]) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # A wrong one before all: precision 1/2, then 2/3, made monotone.
    assert ap([(5, 0.9), (0, 0.8), (1, 0.7)], [0, 1]) == pytest.approx(2 / 3)
    # Found twice: the second is wrong.
    assert ap([(0, 0.9), (0, 0.8), (1, 0.7)], [0, 1]) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert ap([], [0]) == 0


def test_difficult_objects_may_be_missed_and_found_any_number_of_times():
    assert ap([(0, 0.9)], [0, 1], difficult=[1]) == 1
    assert ap([(1, 0.95), (1, 0.92), (0, 0.9)], [0, 1], difficult=[1]) == 1
    assert np.isnan(ap([(0, 0.9)], [0], difficult=[0]))


def test_an_iou_of_just_the_overlap_is_right():
    half = VOCDetections([1], [[0, 0, 10, 5]], [0.9])
    whole = VOCObjects([1], [[0, 0, 10, 10]], [False])
    assert voc_scores([half], [whole], 1).ap[0] == 1
    assert voc_scores([half], [whole], 1, overlap=0.51).ap[0] == 0


def test_what_may_be_any_class_is_nobody_s_mistake():
    objects = VOCObjects([1, 0], [box(0), box(1)], [False, False])
    found = VOCDetections([1, 1, 2], [box(0), box(1), box(1)], [0.5, 0.9, 0.9])
    scores = voc_scores([found], [objects], 2)
    assert scores.ap[0] == 1
    assert np.isnan(scores.ap[1])
    assert scores.objects.tolist() == [1, 0]


def within(box, area):
    return area[0] <= (box[2] - box[0]) * (box[3] - box[1]) < area[1]


def naive(predictions, targets, label, overlap=0.5, area=(0, np.inf)):
    rows = sorted(
        (
            (-score, image, place)
            for image, found in enumerate(predictions)
            for place, (one, score) in enumerate(zip(found.labels, found.scores, strict=True))
            if one == label
        ),
    )
    taken, outcome = set(), []
    count = sum(
        one == label and not difficult and within(box, area)
        for each in targets
        for one, box, difficult in zip(*each, strict=True)
    )
    for _, image, place in rows:
        left, top, right, bottom = predictions[image].boxes[place]
        best, which = -1.0, None
        for number, (one, other) in enumerate(zip(targets[image].labels, targets[image].boxes, strict=True)):
            if one != label:
                continue
            width = max(0, min(right, other[2]) - max(left, other[0]))
            height = max(0, min(bottom, other[3]) - max(top, other[1]))
            union = (right - left) * (bottom - top) + (other[2] - other[0]) * (other[3] - other[1]) - width * height
            if width * height / union > best:
                best, which = width * height / union, number
        if best >= overlap and (targets[image].difficult[which] or not within(targets[image].boxes[which], area)):
            continue
        if best < overlap and not within(predictions[image].boxes[place], area):
            continue
        outcome.append(best >= overlap and (image, which) not in taken)
        if best >= overlap:
            taken.add((image, which))
    precision = [sum(outcome[: end + 1]) / (end + 1) for end in range(len(outcome))]
    return sum(max(precision[end:]) for end, hit in enumerate(outcome) if hit) / count if count else float("nan")


def test_objects_of_other_sizes_may_be_missed_and_what_is_found_there_is_no_mistake():
    objects = VOCObjects([1, 1], [[0, 0, 10, 10], [50, 0, 90, 40]], [False, False])
    found = VOCDetections([1, 1, 1], [[0, 0, 10, 10], [50, 0, 90, 40], [200, 0, 240, 40]], [0.5, 0.9, 0.8])
    assert voc_scores([found], [objects], 1).ap[0] == pytest.approx(0.5 + 0.5 * 2 / 3)
    small, large = (voc_scores([found], [objects], 1, area=area) for area in ((0, 1024), (1024, np.inf)))
    assert (small.ap[0], small.objects[0]) == (1, 1)
    # The object comes first, and the mistake after it costs nothing.
    assert (large.ap[0], large.objects[0]) == (1, 1)
    mistaken = VOCDetections([1, 1], [[200, 0, 240, 40], [50, 0, 90, 40]], [0.9, 0.8])
    assert voc_scores([mistaken], [objects], 1, area=(1024, np.inf)).ap[0] == 0.5
    assert np.isnan(voc_scores([found], [objects], 1, area=(100, 100)).ap[0])


@pytest.mark.parametrize("area", [(0, np.inf), (0, 150), (150, 300)])
@pytest.mark.parametrize("seed", range(3))
def test_plain_loops_say_the_same(seed, area):
    generator = np.random.default_rng(seed)

    def boxes(count):
        corner = generator.uniform(0, 30, (count, 2))
        return np.concatenate([corner, corner + generator.uniform(8, 20, (count, 2))], axis=1)

    predictions, targets = [], []
    for _ in range(12):
        few, many = generator.integers(0, 6), generator.integers(0, 14)
        truth = boxes(few)
        near = truth[generator.integers(0, few, many)] + generator.normal(0, 1.5, (many, 4)) if few else boxes(many)
        predictions.append(VOCDetections(generator.integers(1, 4, many), near, generator.random(many)))
        targets.append(VOCObjects(generator.integers(1, 4, few), truth, generator.random(few) < 0.3))
    found = voc_scores(predictions, targets, 4, area=area).ap
    expected = [naive(predictions, targets, label, area=area) for label in range(1, 5)]
    assert 0 < np.nanmean(found) < 1
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_as_many_predictions_as_targets():
    with pytest.raises(UsageError, match="expected predictions for 1 images"):
        voc_scores([], [VOCObjects([], [], [])], 1)
