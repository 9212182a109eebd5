"""Training and validation data for classification from one text: a folder, an archive, CIFAR, the reader's own code."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pupil.data.cifar import CIFAR, FOLDERS
from pupil.data.class_folder import ClassFolder
from pupil.data.layouts import AUTO, has_layout
from pupil.data.names import Names
from pupil.data.own_code import NamedClasses, OwnData, from_code
from pupil.data.transforms import Transform
from pupil.data.views import as_image
from pupil.errors import UsageError, listed

FORMATS: dict[str, Any] = {
    "folder": ClassFolder,
    **{name: partial(CIFAR, name=name) for name in FOLDERS},
}


class ClassifiedImages(NamedClasses, Protocol):
    """A map-style data set of (image, class id) that names its classes and knows the class of each image unseen."""

    @property
    def labels(self) -> Sequence[int]: ...


def classification_data(
    spec: str, *, format: str = AUTO, labels: int | None = None, seed: int = 0
) -> tuple[ClassifiedImages, ClassifiedImages]:
    """The training and the validation set that a text names.

    ==============================  ========================================================================
    ``DIR``, ``FILE.zip``           a folder for each class of each split, see :class:`ClassFolder`
    ``DIR``                         CIFAR-10 or CIFAR-100 as torchvision unpacks it, see :class:`CIFAR`
    ``package.module:function``     called without arguments, returns the two data sets
    ==============================  ========================================================================

    Args:
        spec: the text.
        format: "folder", "cifar10" or "cifar100"; "auto" finds it.
        labels: keep only this many training images.
        seed: which ones.

    Raises:
        UsageError: where there is no such data, or it takes no such argument.
    """
    name = classification_format(spec, format)
    if name is None:
        if labels is not None:
            raise UsageError(f"expected --labels with a data folder alone, got --data {spec}: leave it out")
        train, val = (checked_classes(dataset) for dataset in from_code(spec))
        return train, val
    kept = {"cache": True} if name == "folder" else {}
    train = FORMATS[name](spec, "train", labels=labels, seed=seed, **kept)
    return train, classification_validation(spec, format=name, folders=getattr(train, "folders", None))


def classification_validation(
    spec: str, *, format: str = AUTO, folders: Sequence[str] | None = None, split: str = "val"
) -> ClassifiedImages:
    """The validation set alone, or another split.

    Args:
        spec: as for :func:`classification_data`; a folder needs no training images here.
        format: as there.
        folders: the folders of the classes in the order of their ids; None takes those that are there.
        split: of a folder or an archive.
    """
    name = classification_format(spec, format)
    if name is None:
        return checked_classes(from_code(spec)[1])
    kept = {"cache": True, "classes": folders} if name == "folder" else {}
    found: ClassifiedImages = FORMATS[name](spec, split, **kept)
    return found


def classification_format(spec: str, format: str = AUTO) -> str | None:
    """The layout of a folder or archive; None for the reader's own code, which has none.

    Raises:
        UsageError: where nothing is named, there is no such layout, or no folder to have one.
    """
    if not spec:
        raise UsageError("expected images to learn from, got no --data: pass a folder with train/CLASS/NAME.jpg")
    if not has_layout(spec, format, FORMATS):
        return None
    if format != AUTO:
        return format
    root = Path(spec)
    if not root.exists():
        raise UsageError(f"expected a folder or a zip archive of images at {root}, got nothing there: pass --data DIR")
    # A folder that is none of these is taken for one of classes, which says what is missing.
    return next((name for name, folder in FOLDERS.items() if (root / folder).is_dir()), "folder")


class CheckedClasses(OwnData):
    """A data set of the reader's own whose labels are compared with its classes.

    Args:
        dataset: map-style, of (image, class id), with `classes`; the class of each image in `labels` or `targets`, as
            torchvision's data sets have it, spares a pass over the data where a method asks for it.

    Attributes:
        labels: the class id of each image.

    Raises:
        UsageError: it is empty or names no classes, knows more or fewer labels than it has images, or a label is no
            class id; on access to an item, where `labels` are not known beforehand.
    """

    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset)
        known = getattr(dataset, "labels", getattr(dataset, "targets", None))
        if known is not None and len(known) != len(dataset):
            raise UsageError(
                f"expected a label for each of {len(dataset)} images, got {len(known)}: mend them in "
                f"{type(dataset).__name__}"
            )
        self._labels = None if known is None else [self._checked(label, index) for index, label in enumerate(known)]

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image, label = self.dataset[index]
        return as_image(image), self._checked(label, index)

    @property
    def labels(self) -> list[int]:
        """The class of each image, read from the data where they do not say it."""
        if self._labels is None:
            self._labels = [self[index][1] for index in range(len(self))]
        return self._labels

    def _checked(self, label: Any, index: int) -> int:
        try:
            number = operator.index(label)
        except TypeError:
            number = -1
        if not 0 <= number < len(self.classes):
            raise UsageError(
                f"expected a class id from 0 to {len(self.classes) - 1} for {self.names[index]}, got {label!r}: "
                f"one of {listed(self.classes, 5)}"
            )
        return number


def checked_classes(dataset: Any) -> ClassifiedImages:
    """A data set whose labels are known to be classes.

    Raises:
        UsageError: it is empty or names no classes, or a label is none.
    """
    return dataset if isinstance(dataset, ClassFolder | CIFAR | CheckedClasses) else CheckedClasses(dataset)


class Prepared:
    """A data set of which every item has passed through a transform, under the same names.

    Args:
        dataset: map-style, with `classes`.
        transform: of (image, target); not random.
    """

    def __init__(self, dataset: NamedClasses, transform: Transform) -> None:
        self.dataset, self.transform = dataset, transform
        self.classes, self.names = dataset.classes, Names(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.transform(*self.dataset[index])
