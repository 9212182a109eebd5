"""KITTI's average precision: examples worked by hand, and the rules once more as plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pupil.errors import UsageError
from pupil.metrics.kitti import LEVELS, RULES, STEPS, KITTIDetections, KITTIObjects, kitti_scores

BIG = [100.0, 100, 200, 160]


def box(place: int, height: float = 60.0) -> list[float]:
    """One of many boxes that do not touch."""
    return [200.0 * place, 100, 200.0 * place + 100, 100 + height]


def labelled(*objects: tuple) -> KITTIObjects:
    """Each is (type, box), or (type, box, truncation, occlusion)."""
    whole = [(*each, 0.0, 0)[:4] if len(each) == 2 else each for each in objects]
    types, boxes, truncation, occlusion = zip(*whole, strict=True) if whole else ((), (), (), ())
    return KITTIObjects(types, boxes, truncation, occlusion)


def found(*detections: tuple) -> KITTIDetections:
    types, boxes, scores = zip(*detections, strict=True) if detections else ((), (), ())
    return KITTIDetections(types, boxes, scores)


def precision(detections: KITTIDetections, objects: KITTIObjects, level: int = 1) -> list[float]:
    """The precision for Car at each threshold that there is."""
    scores = kitti_scores([detections], [objects]).precision[0, level]
    return scores[: np.flatnonzero(scores).max(initial=-1) + 1].round(4).tolist()


def test_every_car_found_is_perfect_only_where_there_are_many() -> None:
    cars = labelled(*(("Car", box(place)) for place in range(40)))
    hits = found(*(("Car", box(place), 1 - place / 100) for place in range(40)))
    scores = kitti_scores([hits], [cars])
    # The thresholds stand for recall 1/40 ... 1, so the last step of 41 stays empty.
    assert scores.precision[0, 1].tolist() == [1.0] * 40 + [0.0]
    assert scores.ap11[0] == pytest.approx([10 / 11] * 3)
    assert scores.ap40[0] == pytest.approx([39 / 40] * 3)
    assert scores.objects.tolist() == [[40, 40, 40], [0, 0, 0], [0, 0, 0]]
    assert (scores.ap40[1:] == 0).all()


def test_a_wrong_one_counts_from_its_score_on() -> None:
    cars = labelled(("Car", box(0)), ("Car", box(1)))
    # One of two: the recalls 1/2 and 1 are thresholds; the wrong detection scores between them.
    hits = [("Car", box(0), 0.9), ("Car", box(1), 0.5)]
    assert precision(found(*hits, ("Car", box(7), 0.7)), cars) == [1.0, 0.6667]
    assert precision(found(*hits, ("Car", box(7), 0.95)), cars) == [0.6667, 0.6667]  # made monotone
    assert precision(found(*hits, ("Car", box(7), 0.4)), cars) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("extra", "object_", "expected"),
    [
        (("Car", box(3), 0.95), None, 0.5),
        (("Car", box(3), 0.95), ("Van", box(3)), 1.0),
        (("Car", box(3), 0.95), ("Truck", box(3)), 0.5),
        (("Car", box(3), 0.95), ("Car", box(3), 0.9, 0), 1.0),
        (("Car", box(3), 0.95), ("Car", box(3), 0.0, 3), 1.0),
        (("Car", box(3), 0.95), ("DontCare", [500, 0, 800, 400], -1.0, -1), 1.0),
        (("Car", box(3), 0.95), ("DontCare", [600, 100, 660, 160], -1.0, -1), 0.5),  # 0.6 of it, not above 0.7
        (("Car", box(3, 24.9), 0.95), None, 1.0),  # low, so ignored
        (("Car", box(3, 25.0), 0.95), None, 0.5),
        (("Pedestrian", box(3), 0.95), None, 1.0),
    ],
)
def test_what_is_wrong_and_what_is_ignored(extra: tuple, object_: tuple | None, expected: float) -> None:
    objects = [("Car", box(0))] + ([object_] if object_ else [])
    assert precision(found(("Car", box(0), 0.9), extra), labelled(*objects)) == [expected]


def test_a_pedestrians_neighbour_is_one_who_sits() -> None:
    objects = labelled(("Pedestrian", box(0)), ("Person_sitting", box(1)), ("Van", box(2)))
    hits = found(*(("Pedestrian", box(place), 0.9) for place in range(3)))
    assert kitti_scores([hits], [objects]).precision[1, 1, 0] == 0.5


def test_the_overlap_has_to_exceed_the_limit() -> None:
    cars = labelled(("Car", [0, 0, 100, 100]))
    assert precision(found(("Car", [0, 0, 100, 70], 0.9)), cars) == []
    assert precision(found(("Car", [0, 0, 100, 70.5], 0.9)), cars) == [1.0]
    # Two at one object: the nearer is right, the other wrong.
    both = found(("Car", [0, 0, 100, 80], 0.9), ("Car", [0, 0, 100, 90], 0.9))
    assert precision(both, cars) == [0.5]


def test_levels() -> None:
    objects = labelled(
        ("Car", box(0, 41)), ("Car", box(1, 40)), ("Car", box(2), 0.2, 0), ("Car", box(3), 0.0, 2), ("Car", box(4, 25))
    )
    assert kitti_scores([found()], [objects]).objects[0].tolist() == [1, 3, 4]


def test_a_low_detection_of_another_class_can_be_taken() -> None:
    # Height is looked at before the class: the first car takes it for its score, and gives no threshold.
    cars = labelled(("Car", box(0, 30)), ("Car", box(1, 60)))
    hits = [("Car", box(0, 30), 0.8), ("Car", box(1, 60), 0.7)]
    assert precision(found(*hits), cars) == [1.0, 1.0]
    assert precision(found(("Pedestrian", box(0, 24.5), 0.9), *hits), cars) == [1.0]
    assert precision(found(("Pedestrian", box(0, 25.0), 0.9), *hits), cars) == [1.0, 1.0]


def test_nothing_at_all_and_images_without_objects() -> None:
    assert (kitti_scores([], []).ap40 == 0).all()
    scores = kitti_scores([found(), found(("Car", BIG, 0.9))], [labelled(("Car", BIG)), labelled()])
    assert scores.precision.max() == 0
    mixed = kitti_scores([found(("Car", BIG, 0.5)), found(("Car", BIG, 0.9))], [labelled(("Car", BIG)), labelled()])
    assert mixed.precision[0, 1, 0] == 0.5


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(UsageError, match="expected predictions for 1 images, as many as targets, got 0"):
        kitti_scores([], [labelled()])
    with pytest.raises(UsageError, match="each detection of image 0, got 1 types, 1 boxes and 0 scores"):
        kitti_scores([KITTIDetections(["Car"], [BIG], [])], [labelled()])
    with pytest.raises(UsageError, match="each object of image 0, got 2 types, 1 boxes, 1 and 1"):
        kitti_scores([found()], [KITTIObjects(["Car", "Van"], [BIG], [0.0], [0])])


@pytest.mark.parametrize("seed", range(4))
def test_against_plain_loops(seed: int) -> None:
    random = np.random.default_rng(seed)
    images = [_random_image(random) for _ in range(12)]
    scores = kitti_scores(*zip(*images, strict=True))
    expected = [[_plain(images, name, rule, level) for level in LEVELS.values()] for name, rule in RULES.items()]
    assert np.asarray(expected).max() > 0.2
    np.testing.assert_allclose(scores.precision, expected, rtol=1e-12)


def _random_image(random: np.random.Generator) -> tuple[KITTIDetections, KITTIObjects]:
    kinds = ["Car", "Car", "Pedestrian", "Cyclist", "Van", "Person_sitting", "DontCare"]
    objects, detections = [], []
    for _ in range(random.integers(0, 9)):
        corner, size = random.uniform(0, 150, 2), random.uniform(15, 90, 2)
        kind = str(random.choice(kinds))
        objects.append((kind, [*corner, *(corner + size)], random.choice([0.0, 0.2, 0.4, 0.7]), random.integers(0, 4)))
        for _ in range(random.integers(0, 4)):
            moved = np.array([*corner, *(corner + size)]) + random.normal(0, 3, 4)
            name = str(random.choice([kind, "Car", "Pedestrian"])).replace("Van", "Car")
            detections.append((name, moved.tolist(), random.integers(0, 30) / 30))
    return found(*detections), labelled(*objects)


def _overlap(first, second, *, own: bool = False) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (first, second)]
    return width * height / (areas[0] if own else sum(areas) - width * height)


def _plain(images, name, rule, level) -> list[float]:
    cases = []
    for hits, truth in images:
        objects, everywhere = [], []
        for kind, place, truncation, occlusion in zip(*truth, strict=True):
            beyond = truncation > level.truncation or occlusion > level.occlusion
            beyond = beyond or place[3] - place[1] <= level.height
            if kind == name or kind in rule.neighbours:
                objects.append((place, kind == name and not beyond))
            if kind == "DontCare":
                everywhere.append(place)
        detections = []
        for kind, place, score in zip(*hits, strict=True):
            low = math.floor(abs(place[3] - place[1])) < level.height
            if low or kind == name:
                detections.append((place, score, not low))
        cases.append((objects, detections, everywhere))
    count = sum(valid for objects, _, _ in cases for _, valid in objects)
    scores = sorted((score for case in cases for score in _match(case, rule.overlap, None)[0]), reverse=True)
    thresholds, recall = [], 0.0
    for index, score in enumerate(scores):
        here, after = (index + 1) / count, (index + 2) / count
        if index == len(scores) - 1 or after - recall >= recall - here:
            thresholds.append(score)
            recall += 1 / 40
    curve = []
    for threshold in thresholds:
        counts = [_match(case, rule.overlap, threshold) for case in cases]
        right, wrong = sum(len(hits) for hits, _ in counts), sum(misses for _, misses in counts)
        curve.append(right / (right + wrong) if right + wrong else 0.0)
    return [max(curve[step:], default=0.0) for step in range(STEPS)]


def _match(case, limit, threshold) -> tuple[list[float], int]:
    """The scores of right detections, and how many are wrong; without a threshold the highest score wins."""
    objects, detections, everywhere = case
    free = [index for index, (_, score, _) in enumerate(detections) if threshold is None or score >= threshold]
    hits = []
    for place, valid in objects:
        near = [index for index in free if _overlap(detections[index][0], place) > limit]
        if not near:
            continue
        if threshold is None:
            best = max(near, key=lambda index: (detections[index][1], -index))
        else:
            real = [index for index in near if detections[index][2]]
            best = max(real, key=lambda index: _overlap(detections[index][0], place)) if real else near[0]
        free.remove(best)
        if valid and detections[best][2]:
            hits.append(detections[best][1])
    wrong = [detections[index][0] for index in free if detections[index][2]]
    return hits, sum(all(_overlap(each, care, own=True) <= limit for care in everywhere) for each in wrong)
