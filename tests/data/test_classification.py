from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.miniature import write_class_split
from pupil.data.classification import (
    Prepared,
    checked_classes,
    classification_data,
    classification_format,
    classification_validation,
)
from pupil.data.image_transforms import centre_transform
from pupil.errors import UsageError


class Own:
    """What a reader might write."""

    classes = ("cat", "dog")

    def __init__(self, *labels: object) -> None:
        self.items = labels

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, object]:
        return torch.zeros(3, 8, 8), self.items[index]


def own() -> tuple[Own, Own]:
    return Own(0, 1, 1), Own(1)


def test_a_folder_gives_both_splits(tmp_path: Path) -> None:
    write_class_split(tmp_path, "train")
    write_class_split(tmp_path, "val", classes="ab", count=1)
    train, val = classification_data(str(tmp_path), labels=5, seed=1)
    assert (len(train), len(val)) == (5, 2)
    assert tuple(val.classes) == tuple(train.classes) == ("a", "b", "c")
    assert tuple(classification_validation(str(tmp_path)).classes) == ("a", "b")


def test_own_code_gives_both_splits() -> None:
    train, val = classification_data(f"{__name__}:own")
    assert (len(train), len(val), list(train.labels)) == (3, 1, [0, 1, 1])
    with pytest.raises(UsageError, match="--labels with a data folder alone"):
        classification_data(f"{__name__}:own", labels=1)
    with pytest.raises(UsageError, match="--format with a data folder alone"):
        classification_data(f"{__name__}:own", format="folder")


def test_the_layout_is_found_or_named(tmp_path: Path) -> None:
    assert classification_format(str(tmp_path)) == "folder"
    (tmp_path / "cifar-100-python").mkdir()
    assert classification_format(str(tmp_path)) == "cifar100"
    assert classification_format(str(tmp_path), "folder") == "folder"
    for spec, format, message in [
        ("", "auto", "got no --data: pass a folder"),
        (str(tmp_path / "none"), "auto", "got nothing there: pass --data DIR"),
        (str(tmp_path), "cifar", "cifar10"),
    ]:
        with pytest.raises(UsageError, match=message):
            classification_format(spec, format)


def test_labels_come_from_targets_or_from_the_items() -> None:
    known = Own(1, 0)
    known.targets = torch.tensor([1, 0])  # type: ignore[attr-defined]
    known.__dict__["items"] = (5, 5)  # never looked at
    assert list(checked_classes(known).labels) == [1, 0]
    assert list(checked_classes(Own(1, 0, 1)).labels) == [1, 0, 1]


@pytest.mark.parametrize("label", [2, -1, "dog", 0.5, torch.tensor([0, 1])])
def test_what_is_no_class_is_named(label: object) -> None:
    with pytest.raises(UsageError, match=r"expected a class id from 0 to 1 for item 0 of Own, got .*: one of cat, dog"):
        checked_classes(Own(label))[0]


def test_a_data_set_says_its_classes_and_holds_something() -> None:
    with pytest.raises(UsageError, match=r"to have \.classes, got none: set it on list"):
        checked_classes([(torch.zeros(3, 4, 4), 0)])
    with pytest.raises(UsageError, match="at least one image"):
        checked_classes(Own())


def test_prepared_images_have_one_size_and_keep_their_names() -> None:
    prepared = Prepared(checked_classes(Own(1)), centre_transform((4, 6)))
    assert prepared[0][0].shape == (3, 4, 6)
    assert (prepared.names[0], prepared.classes, len(prepared)) == ("item 0 of Own", ("cat", "dog"), 1)


def test_more_labels_than_images_are_refused() -> None:
    known = Own(0, 1)
    known.labels = [0, 1, 1]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"^expected a label for each of 2 images, got 3: mend them in Own$"):
        checked_classes(known)
