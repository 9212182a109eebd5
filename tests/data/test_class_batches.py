"""Class-aware batches: whole groups of one class, a function of (seed, step), whatever the ranks and the epochs."""

from __future__ import annotations

import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pupil.data.batches import Batches
from pupil.data.class_batches import AnchoredBatches, ClassBatches, Classes, anchored, clusters
from pupil.errors import UsageError

# Every class has two images or more, so that nothing warns; the class of one image has a test of its own.
labellings = st.lists(st.integers(0, 5), min_size=1, max_size=20).map(lambda labels: [*labels, *labels])
seeds, positives, worlds = st.integers(0, 2**64), st.integers(0, 4), st.integers(1, 3)
layouts = st.sampled_from(["grouped", "interleaved"])


def groups(batch: list[Any], size: int, layout: str) -> list[list[Any]]:
    """The items of a batch, an anchor and its positives each."""
    if layout == "interleaved":
        return [batch[start : start + size] for start in range(0, len(batch), size)]
    anchors = len(batch) // size
    rest = batch[anchors:]
    return [[batch[n], *rest[n * (size - 1) : (n + 1) * (size - 1)]] for n in range(anchors)]


@given(labellings, positives, st.integers(1, 5), layouts, seeds)
def test_every_image_is_an_anchor_once_an_epoch_among_others_of_its_class(
    labels: list[int], positives: int, anchors: int, layout: str, seed: int
) -> None:
    count, size = len(labels), positives + 1
    options: dict[str, Any] = {"labels": labels, "positives": positives, "layout": layout, "seed": seed}
    batches = list(AnchoredBatches(count, anchors * size, steps=2 * count, **options))
    assert {len(batch) for batch in batches} == {anchors * size}
    found = [group for batch in batches for group in groups(batch, size, layout)]
    for start in range(0, len(found) - count + 1, count):
        assert sorted(group[0][0] for group in found[start : start + count]) == list(range(count))
    sizes = Counter(labels)
    for group in found:
        indices = [index for index, _ in group]
        assert len({labels[index] for index in indices}) == 1
        assert indices[0] not in indices[1:]
        if sizes[labels[indices[0]]] > positives:
            assert len(set(indices)) == size
    assert len({view for group in found for _, view in group}) == len(found) * size


@given(labellings, positives, st.integers(1, 4), worlds, layouts, seeds, st.integers(0, 14))
def test_ranks_share_the_batch_of_one_process_and_a_run_goes_on_from_any(
    labels: list[int], positives: int, share: int, world: int, layout: str, seed: int, first: int
) -> None:
    count, size = len(labels), (positives + 1) * share * world
    options: dict[str, Any] = {"labels": labels, "positives": positives, "layout": layout, "steps": 12, "seed": seed}
    alone = list(AnchoredBatches(count, size, **options))
    ranks = [AnchoredBatches(count, size, rank=rank, world=world, **options) for rank in range(world)]
    for step, parts in enumerate(zip(*ranks, strict=True)):
        shared = [group for part in parts for group in groups(part, positives + 1, layout)]
        assert shared == groups(alone[step], positives + 1, layout)
        assert {len(part) for part in parts} == {size // world}
    rest = AnchoredBatches(count, size, first=first, **options)
    assert list(rest) == alone[first:]
    assert len(rest) == len(alone[first:])


@given(labellings, st.integers(1, 9), seeds)
def test_without_positives_they_are_the_batches_of_any_run(labels: list[int], size: int, seed: int) -> None:
    ours = AnchoredBatches(len(labels), size, labels=labels, positives=0, steps=20, seed=seed)
    assert list(ours) == list(Batches(len(labels), size, steps=20, seed=seed))


def test_epochs_and_seeds_differ_in_anchors_positives_and_views() -> None:
    labels = [item % 5 for item in range(50)]

    def run(seed: int) -> list[list[tuple[int, int]]]:
        return list(AnchoredBatches(50, 150, labels=labels, positives=2, steps=2, seed=seed))

    one, two = run(0)
    [other, _] = run(1)
    assert run(0) == [one, two]
    for changed in (two, other):
        assert [index for index, _ in one[:50]] != [index for index, _ in changed[:50]]
        assert not {view for _, view in one} & {view for _, view in changed}
        partners = [{group[0][0]: [index for index, _ in group[1:]] for group in groups(each, 3, "grouped")}
                    for each in (one, changed)]  # fmt: skip
        assert partners[0] != partners[1]


def test_positives_are_drawn_evenly() -> None:
    """Each other image of the class equally often, at each place: 4000 draws, five standard deviations."""
    labels = [0] * 5 + [1] * 3
    seen = Counter()
    for batch in AnchoredBatches(8, 24, labels=labels, positives=2, layout="interleaved", steps=4000, seed=0):
        for anchor, first, second in groups([index for index, _ in batch], 3, "interleaved"):
            if anchor == 2:
                seen.update([(1, first), (2, second)])
    assert set(seen) == {(place, index) for place in (1, 2) for index in (0, 1, 3, 4)}
    assert all(abs(times - 1000) < 5 * (4000 * 0.25 * 0.75) ** 0.5 for times in seen.values())


def test_too_small_a_class_repeats_its_images_but_not_the_anchor() -> None:
    labels = [0, 0, 0, 1, 1]
    [batch] = AnchoredBatches(5, 25, labels=labels, positives=4, layout="interleaved", steps=1, seed=0)
    for anchor, *others in groups([index for index, _ in batch], 5, "interleaved"):
        assert anchor not in others
        assert {labels[index] for index in others} == {labels[anchor]}


@pytest.mark.parametrize("positives", [1, 3])
def test_the_only_image_of_its_class_is_shown_again_and_named(positives: int) -> None:
    kept: dict[str, Any] = {"labels": [0, 0, 1, 0], "names": ["cat", "dog"], "positives": positives, "steps": 1}
    few = {1: "dog", 3: "cat, dog"}[positives]
    line = (
        f"expected {positives + 1} images of each class, as many as a batch shows together, got fewer of {few}: theirs"
    )
    with pytest.warns(UserWarning, match=f"^{line} are repeated as other views$"):
        batches = AnchoredBatches(4, 4 * (positives + 1), seed=0, **kept)
    [alone] = [group for batch in batches for group in groups(batch, positives + 1, "grouped") if group[0][0] == 2]
    assert {index for index, _ in alone} == {2}
    assert len({view for _, view in alone}) == positives + 1
    # One process tells of it.
    AnchoredBatches(4, 4 * (positives + 1), seed=0, rank=1, world=2, **kept)


def test_class_batches_name_the_classes_of_too_few_images_too() -> None:
    labels = [0, 0, 0, 1, 1]
    with pytest.warns(UserWarning, match="^expected 3 images of each class, .* got fewer of dog: "):
        ClassBatches(5, 6, labels=labels, names=["cat", "dog"], per_class=3, steps=1, seed=0)


@given(labellings, st.integers(1, 4), st.integers(1, 2), worlds, seeds, st.integers(0, 14))
def test_class_batches_show_whole_different_classes(
    labels: list[int], per_class: int, share: int, world: int, seed: int, first: int
) -> None:
    options: dict[str, Any] = {"labels": labels, "per_class": per_class, "steps": 12, "seed": seed}
    classes, sizes = share * world, Counter(labels)
    if classes > len(sizes):
        with pytest.raises(UsageError, match=f"at least {classes} classes for a batch"):
            ClassBatches(len(labels), classes * per_class, **options)
        return
    alone = list(ClassBatches(len(labels), classes * per_class, **options))
    for batch in alone:
        shown = Counter(labels[index] for index, _ in batch)
        assert set(shown.values()) == {per_class}
        assert len(shown) == classes
        for label in shown:
            if sizes[label] >= per_class:
                assert len({index for index, _ in batch if labels[index] == label}) == per_class
    ranks = [ClassBatches(len(labels), classes * per_class, rank=rank, world=world, **options) for rank in range(world)]
    for step, parts in enumerate(zip(*ranks, strict=True)):
        assert [item for part in parts for item in part] == alone[step]
    rest = ClassBatches(len(labels), classes * per_class, first=first, **options)
    assert list(rest) == alone[first:]
    assert len(rest) == len(alone[first:])


def test_class_batches_reach_every_image_and_each_class_evenly() -> None:
    labels = [0] * 9 + [1] * 2 + [2] * 4 + [3]
    batches = list(ClassBatches(16, 4, labels=labels, per_class=2, steps=2000, seed=0))
    seen = Counter(index for batch in batches for index, _ in batch)
    assert set(seen) == set(range(16))
    shown = Counter(labels[index] for batch in batches for index, _ in batch[::2])
    assert all(abs(times - 1000) < 5 * (2000 * 0.5 * 0.5) ** 0.5 for times in shown.values())
    assert len({view for batch in batches for _, view in batch}) == 8000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 6}, r"groups \(an anchor and 3 positives each\) that 1 .* got 6 images: pass a multiple of 4"),
        ({"batch_size": 4, "world": 2}, r"that 2 process\(es\) can share equally, got 4 images: pass a multiple of 8"),
        ({"positives": 20}, r"got 8 images: pass a multiple of 21"),
        ({"batch_size": 0}, r"got 0 images"),
        ({"positives": -1}, r"expected positives of at least 0, got -1"),
        ({"layout": "group"}, r"unknown layout 'group': did you mean grouped\?"),
        ({"labels": [0, 1]}, r"expected one class for each of 9 images, got labels of shape \(2,\)"),
        ({"count": 0, "labels": []}, r"at least one item, got 0"),
        ({"seed": -1}, r"a seed of at least 0, got -1"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    options = {"count": 9, "batch_size": 8, "labels": [0] * 9, "positives": 3, "steps": 3, "seed": 0}
    with pytest.raises(UsageError, match=message):
        AnchoredBatches(**options | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 5}, r"whole groups \(2 images of a class each\) .* got 5 images: pass a multiple of 2"),
        ({"world": 3}, r"pass a multiple of 6"),
        ({"per_class": 0}, r"at least one image a class, got 0"),
        ({"per_class": 1}, r"at least 4 classes for a batch of 4, got 3: lower the batch size, or show more images"),
        ({"labels": [[0] * 9]}, r"got labels of shape \(1, 9\)"),
    ],
)
def test_wrong_arguments_of_class_batches_are_refused(arguments: dict[str, Any], message: str) -> None:
    options = {"count": 9, "batch_size": 4, "labels": [0, 1, 2] * 3, "per_class": 2, "steps": 3, "seed": 0}
    with pytest.raises(UsageError, match=message):
        ClassBatches(**options | arguments)


@pytest.mark.parametrize("attribute", ["labels", "targets"])
def test_a_data_set_that_knows_its_classes_makes_its_batches(attribute: str) -> None:
    data = SimpleNamespace(**{attribute: [0, 1] * 4})
    made = anchored(data, positives=1, layout="interleaved")(8, 4, steps=3, seed=1, first=1)
    options: dict[str, Any] = {"positives": 1, "layout": "interleaved", "steps": 3, "seed": 1, "first": 1}
    assert list(made) == list(AnchoredBatches(8, 4, labels=[0, 1] * 4, **options))
    with pytest.raises(UsageError, match=r"the class of each image in `labels`, got list: give it the attribute"):
        anchored([(0, 0)], positives=1)


def test_a_large_data_set_is_grouped_once() -> None:
    """No search through a class for each of its images: that would be 10¹⁰ comparisons here."""
    labels = np.arange(200_000) % 4
    start = time.perf_counter()
    next(iter(AnchoredBatches(len(labels), 512, labels=labels, positives=1, steps=1, seed=0)))
    assert time.perf_counter() - start < 5


def test_classes_may_have_any_names_and_gaps() -> None:
    classes = Classes(["dog", "ant", "dog"], 3)
    assert len(classes) == 2
    assert classes.smaller(2) == ["ant"]
    assert Classes([7, 900, 7], 3).smaller(2) == [900]


def test_clusters_find_groups_of_like_embeddings() -> None:
    random = np.random.default_rng(0)
    blob = np.arange(60) % 2
    features = 20.0 * blob[:, None] + random.standard_normal((60, 8))
    for seed in range(20):
        found = clusters(features, 2, seed=seed)
        assert found.tolist() in (blob.tolist(), (1 - blob).tolist())
    many = [clusters(features, 9, seed=seed) for seed in (0, 0, 1)]
    assert many[0].tolist() == many[1].tolist() != many[2].tolist()
    # Every image belongs to the nearest mean.
    means = np.stack([features[many[0] == each].mean(axis=0) for each in range(9)])
    assert np.square(features[:, None] - means).sum(axis=2).argmin(axis=1).tolist() == many[0].tolist()
    list(ClassBatches(60, 8, labels=many[0], per_class=2, steps=2, seed=0))


def test_clusters_without_images_are_no_classes() -> None:
    assert len(set(clusters([[0.0]] * 6, 3, seed=0).tolist())) == 1


@pytest.mark.parametrize("features", [np.zeros(5), np.zeros((2, 4))])
def test_clusters_of_too_little_are_refused(features: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"expected embeddings \(N, D\) of at least 3 images, got shape"):
        clusters(features, 3, seed=0)
