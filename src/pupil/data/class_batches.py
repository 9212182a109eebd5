"""Batches that bring images of one class together, for methods that compare the images of a batch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pupil.data.batches import Batches, Item, MakeBatches
from pupil.data.views import Source
from pupil.errors import UsageError, listed, unknown

Layout = Literal["grouped", "interleaved"]
Indices = NDArray[np.int64]
ITERATIONS = 20  # of k-means; few images change their cluster after these


class AnchoredBatches(Batches):
    """Every batch of a run: anchors, and with each anchor some other images of its class, its positives.

    Every image is an anchor exactly once per epoch; the epochs follow one another without a gap, and all that
    :class:`~pupil.data.batches.Batches` says of seeds, views, resuming and processes holds. The positives of an anchor
    are different images where its class has enough of them, drawn with replacement where it has too few, and the anchor
    itself, as another view, where it is the only one. A batch shows as many images as any other, so that an epoch of
    anchors takes positives + 1 times the steps.

    Args:
        count: the number of items in the data set.
        batch_size: images per step, anchors and positives, over all ranks together.
        labels: the class of each item.
        positives: how many images come with each anchor; 0 leaves :class:`~pupil.data.batches.Batches`.
        layout: "grouped" shows all anchors first, then the positives of each, "interleaved" each anchor before its own.
        names: what the class ids are called; with them, a warning names the classes of too few images.
        steps, seed, first, rank, world: as for :class:`~pupil.data.batches.Batches`.

    Raises:
        UsageError: there is not one label an item, or a batch is not made of whole groups, as many in each process.

    Reference:
        Y. Ge et al., "Self-distillation with Batch Knowledge Ensembling Improves ImageNet Classification", 2021, code
        yxgeee/BAKE: "grouped" on small images, "interleaved" on ImageNet. There an epoch's last batch is smaller, or
        dropped, and an image alone in its class fails, or comes without positives.

    Example:
        >>> labels = ["cat", "dog", "cat", "dog", "cat"]
        >>> batches = AnchoredBatches(5, 4, labels=labels, positives=1, steps=2, seed=15)
        >>> [[labels[index] for index, view in batch] for batch in batches]
        [['cat', 'dog', 'cat', 'dog'], ['dog', 'cat', 'dog', 'cat']]
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        labels: Sequence[Any] | ArrayLike,
        positives: int,
        layout: Layout = "grouped",
        names: Sequence[str] | None = None,
        steps: int,
        seed: int,
        first: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if positives < 0:
            raise UsageError(f"expected positives of at least 0, got {positives}: 0 brings none")
        if layout not in get_args(Layout):
            raise unknown("layout", layout, get_args(Layout))
        self.group, self.layout = positives + 1, layout
        _check_groups(batch_size, self.group, world, f"an anchor and {positives} positives each")
        super().__init__(count * self.group, batch_size, steps=steps, seed=seed, first=first, rank=rank, world=world)
        self.classes = Classes(labels, count)
        if names is not None and rank == 0:
            _warn_of_few(self.classes, self.group, names)

    def __iter__(self) -> Iterator[list[Item]]:
        for items in super().__iter__():
            if self.layout == "grouped":
                positives = [item for place, item in enumerate(items) if place % self.group]
                items = items[:: self.group] + positives
            yield items

    def _epoch(self, epoch: int) -> tuple[Indices, Indices]:
        random = self._random(epoch)
        views = self._views(random)
        anchors = random.permutation(self.count // self.group)
        others = self.classes.others(anchors, self.group - 1, random)
        return np.column_stack((anchors, others)).ravel(), views


class ClassBatches(Batches):
    """Every batch of a run: some classes, drawn anew, and as many images of each (CUR, class-uniform random).

    Each batch is drawn from (seed, step): different classes, each as likely as any other, and different images of a
    class where it has enough of them. With the clusters of a teacher's embeddings for labels it is the
    superclass-uniform sampler (SUR), see :func:`clusters`. The images of a class stand side by side.

    Args:
        count: the number of items in the data set.
        batch_size: images per step, over all ranks together.
        labels: the class of each item.
        per_class: how many images of a class a batch shows.
        names: as for :class:`AnchoredBatches`.
        steps, seed, first, rank, world: as for :class:`~pupil.data.batches.Batches`.

    Raises:
        UsageError: there is not one label an item, a batch is not made of whole classes, equally many in each process,
            or there are too few classes for one.

    Reference:
        B. Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019, with 4 images a class; no
        sampler was released.

    Example:
        >>> labels = [0, 0, 1, 1, 1, 2, 2]
        >>> batches = ClassBatches(7, 4, labels=labels, per_class=2, steps=2, seed=0)
        >>> [[labels[index] for index, view in batch] for batch in batches]
        [[1, 1, 2, 2], [0, 0, 2, 2]]
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        labels: Sequence[Any] | ArrayLike,
        per_class: int,
        names: Sequence[str] | None = None,
        steps: int,
        seed: int,
        first: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if per_class < 1:
            raise UsageError(f"expected at least one image a class, got {per_class}")
        _check_groups(batch_size, per_class, world, f"{per_class} images of a class each")
        # A batch is an epoch of its own.
        super().__init__(batch_size, batch_size, steps=steps, seed=seed, first=first, rank=rank, world=world)
        self.classes, self.per_class = Classes(labels, count), per_class
        if batch_size // per_class > len(self.classes):
            raise UsageError(
                f"expected at least {batch_size // per_class} classes for a batch of {batch_size}, got "
                f"{len(self.classes)}: lower the batch size, or show more images of a class"
            )
        if names is not None and rank == 0:
            _warn_of_few(self.classes, per_class, names)

    def _epoch(self, epoch: int) -> tuple[Indices, Indices]:
        random = self._random(epoch)
        views = self._views(random)
        drawn = random.choice(len(self.classes), self.count // self.per_class, replace=False)
        anchors = self.classes.one_of(drawn, random)
        others = self.classes.others(anchors, self.per_class - 1, random)
        return np.column_stack((anchors, others)).ravel(), views


class Classes:
    """The items of a data set by their class, grouped once, so that drawing from them looks through none.

    Args:
        labels: the class of each item.
        count: how many items there are.
    """

    def __init__(self, labels: Sequence[Any] | ArrayLike, count: int) -> None:
        given = np.asarray(labels)
        if given.shape != (count,):
            raise UsageError(f"expected one class for each of {count} images, got labels of shape {given.shape}")
        self.names, self.of, self.sizes = np.unique(given, return_inverse=True, return_counts=True)
        self.members = np.argsort(self.of, kind="stable")
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.places = np.empty(count, np.int64)
        self.places[self.members] = np.arange(count) - self.starts[self.of[self.members]]

    def __len__(self) -> int:
        return len(self.names)

    def smaller(self, than: int) -> list[Any]:
        """The classes of fewer items."""
        found: list[Any] = self.names[self.sizes < than].tolist()
        return found

    def one_of(self, classes: Indices, random: np.random.Generator) -> Indices:
        """An item of each of some classes."""
        found: Indices = self.members[self.starts[classes] + random.integers(0, self.sizes[classes])]
        return found

    def others(self, anchors: Indices, number: int, random: np.random.Generator) -> Indices:
        """Other items of each anchor's class, (anchors, number): different ones where the class has enough."""
        classes = self.of[anchors]
        others = np.maximum(self.sizes[classes] - 1, 1)
        enough = others >= number
        # How far behind the anchor each one stands in its class, which is gone through as a circle.
        distances = np.empty((len(anchors), 0), np.int64)
        for drawn in range(number):
            distance = random.integers(1, np.where(enough, others - drawn, others), endpoint=True)
            for earlier in np.sort(distances, axis=1).T:
                distance += enough & (distance >= earlier)
            distances = np.column_stack((distances, distance))
        places = (self.places[anchors, None] + distances) % self.sizes[classes, None]
        return self.members[self.starts[classes, None] + places]


def anchored(source: Source, *, positives: int, layout: Layout = "grouped") -> MakeBatches:
    """Makes :class:`AnchoredBatches` of a data set that knows the class of each image: `Plan.batches` of a method.

    Args:
        source: data that know the class of each image, see :func:`classes_of`.
        positives, layout: as for :class:`AnchoredBatches`.

    Raises:
        UsageError: for data without.

    Example:
        >>> from torchvision.datasets import FakeData
        >>> data = FakeData(4)
        >>> data.targets = [0, 1, 0, 1]
        >>> len(anchored(data, positives=1)(len(data), 2, steps=3, seed=0))
        3
    """
    names = getattr(source, "classes", None)
    return partial(AnchoredBatches, labels=classes_of(source), positives=positives, layout=layout, names=names)


def classes_of(source: Source) -> Any:
    """The class of each image, as data know it: in `labels`, or in `targets` as torchvision has it.

    Raises:
        UsageError: for data without.
    """
    labels = getattr(source, "labels", getattr(source, "targets", None))
    if labels is None:
        raise UsageError(
            f"expected training data with the class of each image in `labels`, got {type(source).__name__}: "
            "give it the attribute, a sequence of class ids"
        )
    return labels


def clusters(features: ArrayLike, count: int, *, seed: int) -> Indices:
    """The cluster of each image, found by k-means in its embedding: labels for :class:`ClassBatches`.

    Args:
        features: one embedding an image, normally a teacher's, of the whole training set.
        count: how many clusters to look for; some may stay empty.
        seed: of the images whose embeddings are the first centres.

    Shape:
        features: (N, D); returns (N,).

    Raises:
        UsageError: for features that are not (N, D), or fewer images than clusters.

    Example:
        >>> found = clusters([[0.0, 0.0], [5.0, 5.0], [0.1, 0.0], [5.1, 5.0]], 2, seed=0)
        >>> found.tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])
        True
    """
    from scipy.cluster.vq import kmeans2

    given = np.asarray(features, np.float64)
    if given.ndim != 2 or not 1 <= count <= len(given):
        raise UsageError(f"expected embeddings (N, D) of at least {count} images, got shape {given.shape}")
    centres = given[np.random.default_rng(seed).choice(len(given), count, replace=False)]
    with warnings.catch_warnings():
        # An empty cluster is no more than a class that no image has.
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        _, found = kmeans2(given, centres, iter=ITERATIONS, minit="matrix")
    return np.asarray(found, np.int64)


def _warn_of_few(classes: Classes, images: int, names: Sequence[str]) -> None:
    if few := classes.smaller(images):
        warnings.warn(
            f"expected {images} images of each class, as many as a batch shows together, got fewer of "
            f"{listed([names[each] for each in few], 8)}: theirs are repeated as other views",
            UserWarning,
            stacklevel=3,
        )


def _check_groups(batch_size: int, group: int, world: int, what: str) -> None:
    if batch_size < 1 or batch_size % (group * world):
        raise UsageError(
            f"expected a batch of whole groups ({what}) that {world} process(es) can share equally, got {batch_size} "
            f"images: pass a multiple of {group * world}"
        )
