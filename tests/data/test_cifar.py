from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pupil.data.cifar import CIFAR, FOLDERS
from pupil.errors import UsageError


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images in the layout of CIFAR-10, with checksums that torchvision takes for right."""
    from torchvision.datasets import CIFAR10

    random = np.random.default_rng(0)
    folder = tmp_path / FOLDERS["cifar10"]
    folder.mkdir()

    def write(name: str, content: object) -> list[str]:
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()]

    def batch(count: int) -> dict[str, object]:
        return {"data": random.integers(0, 256, (count, 3072), dtype=np.uint8), "labels": [*range(count)]}

    monkeypatch.setattr(CIFAR10, "train_list", [write("data_batch_1", batch(6))])
    monkeypatch.setattr(CIFAR10, "test_list", [write("test_batch", batch(3))])
    name, digest = write("batches.meta", {"label_names": [f"kind {index}" for index in range(10)]})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": digest})
    return tmp_path


def test_images_and_classes(unpacked: Path) -> None:
    train, val = (CIFAR(unpacked, split) for split in ("train", "val"))
    assert (len(train), len(val), train.classes[3]) == (6, 3, "kind 3")
    image, label = train[4]
    assert (image.shape, image.dtype, label) == ((3, 32, 32), torch.uint8, 4)
    assert train.labels == [*range(6)]
    assert len(CIFAR(unpacked, "train", labels=2)) == 2


def test_what_is_no_whole_cifar_is_refused(unpacked: Path) -> None:
    with pytest.raises(UsageError, match=r"expected cifar-100-python of cifar100 in .*, got no whole one"):
        CIFAR(unpacked, "train", name="cifar100")
    (unpacked / FOLDERS["cifar10"] / "data_batch_1").write_bytes(b"broken")
    with pytest.raises(UsageError, match=r"expected cifar-10-batches-py of cifar10"):
        CIFAR(unpacked, "train")


def test_a_split_that_is_none_is_refused(unpacked: Path) -> None:
    assert len(CIFAR(unpacked, "test")) == len(CIFAR(unpacked, "val"))
    with pytest.raises(UsageError, match="unknown split of CIFAR 'vall': did you mean val"):
        CIFAR(unpacked, "vall")
