"""Images that nobody has labelled, mixed with those that somebody has: only a teacher says what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.utils.data import Dataset

from pupil.data.folder import image_paths
from pupil.data.images import read_image
from pupil.data.labelled import LabelledImages
from pupil.data.names import Names
from pupil.data.segmentation import DRAWN, SegmentationData
from pupil.data.street import StreetScenes
from pupil.data.views import as_image
from pupil.errors import UsageError

REST = "rest"  # the training images whose labels `--labels` left out


class Images(Protocol):
    """Images by index, without labels."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class PartlyLabelled(Dataset[tuple[Any, Any]]):
    """A labelled data set and, behind it, images without labels, whose masks are ignored throughout.

    `MixedBatches` gives both parts their share of every batch.

    Args:
        labelled: (image, mask) pairs.
        unlabelled: images.

    Attributes:
        classes, colours, ignore_index: those of the labelled part.
        names: of all items, for messages.

    Example:
        >>> scenes = StreetScenes(8, size=(32, 48), labels=2)
        >>> data = PartlyLabelled(scenes, unlabelled_images("rest", scenes))
        >>> len(data), data[1][1].unique().tolist() != [255], data[2][1].unique().tolist()
        (8, True, [255])
    """

    def __init__(self, labelled: SegmentationData, unlabelled: Images) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled
        self.classes, self.colours, self.ignore_index = labelled.classes, labelled.colours, labelled.ignore_index
        self.names = Names(labelled, unlabelled)

    def __len__(self) -> int:
        return len(self.labelled) + len(self.unlabelled)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from torchvision import tv_tensors

        if index < len(self.labelled):
            image, mask = self.labelled[index]
            return image, mask
        image = as_image(self.unlabelled[index - len(self.labelled)])
        return image, tv_tensors.Mask(torch.full(image.shape[1:], self.ignore_index))

    def replacements(self, index: int) -> range:
        """The items of the same part: one of the other would change what a batch consists of."""
        first = len(self.labelled)
        return range(first) if index < first else range(first, len(self))


class ImageList:
    """Image files, read when asked for; those of several folders may have one name.

    Args:
        paths: the files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.names = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        return read_image(self.paths[index])


class Unlabelled:
    """The images of a data set, without its labels.

    Args:
        dataset: of (image, target) pairs.
    """

    def __init__(self, dataset: SegmentationData | StreetScenes) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index][0]


def unlabelled_images(spec: str, labelled: SegmentationData) -> Images:
    """The images that a text names.

    ============  =====================================================================================
    ``DIR``       an image, a folder of images (or its folder ``images``), or a pattern
    ``rest``      the training images whose labels ``--labels`` left out
    ``drawn``     the same, of drawn scenes
    ============  =====================================================================================

    Args:
        spec: the text.
        labelled: the labelled training data.

    Raises:
        UsageError: where there are no such images.
    """
    if spec not in (REST, DRAWN):
        return ImageList(image_paths(spec))
    images: Images | None = None
    if isinstance(labelled, StreetScenes):
        images = Unlabelled(labelled.left_out)
    elif isinstance(labelled, LabelledImages) and spec == REST:
        images = ImageList(labelled.left_out)
    if images is None:
        raise UsageError(
            f"expected a folder of images for --unlabelled with this data, got {spec!r}: pass --unlabelled DIR"
        )
    if not len(images):
        raise UsageError(f"expected images that --labels left out for --unlabelled {spec}, got none: pass --labels N")
    return images
