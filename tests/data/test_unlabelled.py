"""Images without labels beside those with: what they are, what their masks say, and where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from data.layouts import picture
from data.miniature import save, write_split
from pupil.data.batches import MixedBatches
from pupil.data.folder import SegmentationFolder
from pupil.data.images import read_image
from pupil.data.segmentation import checked_data
from pupil.data.street import StreetScenes
from pupil.data.transforms import training_transform
from pupil.data.unlabelled import PartlyLabelled, unlabelled_images
from pupil.data.views import Views
from pupil.errors import UsageError


@pytest.fixture
def labelled(tmp_path: Path) -> SegmentationFolder:
    write_split(tmp_path, "train", count=5)
    return SegmentationFolder(tmp_path, "train", labels=2, ignore_index=9)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index, size in enumerate([(6, 8), (12, 7), (9, 9)]):
        save(tmp_path / "photos" / f"{index}.png", picture(size, index))
    return tmp_path / "photos"


def test_labelled_images_come_first_and_stay_as_they_are(labelled: SegmentationFolder, photos: Path) -> None:
    data = PartlyLabelled(labelled, unlabelled_images(str(photos), labelled))
    assert len(data) == 5
    assert [*data.names] == [*labelled.names, *(str(photos / f"{index}.png") for index in range(3))]
    assert (data.classes, data.colours, data.ignore_index) == (labelled.classes, labelled.colours, 9)
    for index in range(2):
        for one, other in zip(data[index], labelled[index], strict=True):
            assert torch.equal(one, other)
    for index in range(3):
        image, mask = data[2 + index]
        assert torch.equal(image, read_image(photos / f"{index}.png"))
        assert mask.shape == image.shape[1:]
        assert (mask == 9).all()
        assert mask.dtype == torch.int64


def test_the_rest_of_a_folder_are_the_images_whose_labels_were_left_out(labelled: SegmentationFolder) -> None:
    rest = unlabelled_images("rest", labelled)
    names = [path.stem for path in labelled.left_out]
    assert len(rest) == 3
    assert sorted([*names, *labelled.names]) == ["000", "001", "002", "003", "004"]
    assert torch.equal(rest[0], read_image(labelled.left_out[0]))


@pytest.mark.parametrize("spec", ["rest", "drawn"])
def test_the_rest_of_drawn_scenes(spec: str) -> None:
    scenes = StreetScenes(4, size=(32, 48), labels=1)
    rest = unlabelled_images(spec, scenes)
    assert len(rest) == 3
    assert torch.equal(rest[2], StreetScenes(4, size=(32, 48))[3][0])
    assert [*PartlyLabelled(scenes, rest).names][:2] == ["item 0 of StreetScenes", "item 0 of Unlabelled"]


def test_a_loader_with_workers_gets_both(labelled: SegmentationFolder, photos: Path) -> None:
    data = PartlyLabelled(labelled, unlabelled_images(str(photos), labelled))
    batches = MixedBatches(len(data), 4, second=3, share=0.25, steps=6, seed=0)
    views = Views(data, training_transform(6, ignore_index=9))
    for _, mask, sample in DataLoader(views, batch_sampler=batches, num_workers=2):
        assert [(each == 9).all().item() for each in mask][3:] == [True]
        assert (sample[:, 0] >= 2).tolist() == [False, False, False, True]


def test_frames_of_several_folders_may_have_one_name(labelled: SegmentationFolder, tmp_path: Path) -> None:
    frames = [save(tmp_path / f"seq{index}" / "0001.png", picture((6, 8), index)) for index in range(2)]
    data = PartlyLabelled(labelled, unlabelled_images(str(tmp_path / "seq*" / "*.png"), labelled))
    assert [*data.names][2:] == [str(path) for path in frames]
    assert torch.equal(data[3][0], read_image(frames[1]))


def test_an_image_that_breaks_is_replaced_from_its_own_part(labelled: SegmentationFolder, photos: Path) -> None:
    data = PartlyLabelled(labelled, unlabelled_images(str(photos), labelled))
    views = Views(data, skip=True)
    for path in (labelled.images[1], photos / "2.png"):
        path.write_bytes(path.read_bytes()[:60])
    assert [views[index, 7][2][0].item() for index in range(5)] == [0, 0, 2, 3, 2]
    assert views.bad_names() == [labelled.names[1], str(photos / "2.png")]
    labelled.images[0].write_bytes(b"")
    with pytest.raises(UsageError, match="expected an item that can be read, got none among 2, first: cannot read"):
        views[0, 7]


def test_what_is_not_there_is_refused(labelled: SegmentationFolder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--labels left out for --unlabelled rest, got none: pass --labels N"):
        unlabelled_images("rest", SegmentationFolder(tmp_path, "train"))
    with pytest.raises(UsageError, match=r"--labels left out for --unlabelled drawn, got none"):
        unlabelled_images("drawn", StreetScenes(4))
    with pytest.raises(UsageError, match=r"a folder of images for --unlabelled with this data, got 'drawn'"):
        unlabelled_images("drawn", labelled)

    class Own:
        classes = ("a", "b")

        def __len__(self) -> int:
            return 1

    with pytest.raises(UsageError, match=r"a folder of images for --unlabelled with this data, got 'rest'"):
        unlabelled_images("rest", checked_data(Own()))
    with pytest.raises(UsageError, match=r"expected an image, a folder of images or a pattern, got nowhere"):
        unlabelled_images("nowhere", labelled)
