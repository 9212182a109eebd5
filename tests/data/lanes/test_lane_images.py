"""Images with lanes: fewer of them on request, and what every lane data set says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.lanes.lane_layouts import write_culane_layout, write_tusimple_layout
from data.layouts import picture
from data.miniature import save
from pupil.data.images import Unreadable
from pupil.data.lanes.culane import CULane
from pupil.data.lanes.lane_images import LaneImages, lines_of
from pupil.data.lanes.tusimple import TuSimple
from pupil.data.views import Views
from pupil.errors import UsageError


def ten(tmp_path: Path, **options: int) -> LaneImages:
    """Ten images; the lane of each stands at the column of its number."""
    images = [save(tmp_path / f"{index}.png", picture((8, 12), index)) for index in range(10)]
    return LaneImages(images, lambda index, size: np.array([[[index, 4]]], np.float32), slots=1, **options)


def test_a_smaller_choice_is_part_of_a_larger_one_and_keeps_image_and_lanes_together(tmp_path: Path) -> None:
    whole, few, fewer = ten(tmp_path), ten(tmp_path, labels=6, seed=1), ten(tmp_path, labels=3, seed=1)
    assert len(whole) == 10
    assert set(fewer.names) < set(few.names) < set(whole.names)
    assert set(few.names) != set(ten(tmp_path, labels=6, seed=2).names)
    for index, name in enumerate(few.names):
        image, lanes = few[index]
        assert lanes.tolist() == [[[float(name), 4.0]]]
        assert torch.equal(image, whole[int(name)][0])


def test_an_item_is_of_torchvisions_types_and_says_its_size(tmp_path: Path) -> None:
    from torchvision import tv_tensors

    image, lanes = ten(tmp_path)[3]
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(lanes, tv_tensors.KeyPoints)
    assert lanes.canvas_size == (8, 12)
    assert (lanes.dtype, image.dtype) == (torch.float32, torch.uint8)


def test_items_stack_and_stay_points_in_validation(tmp_path: Path) -> None:
    from pupil.data.views import collate

    views = Views(TuSimple(write_tusimple_layout(tmp_path), "val"))
    image, lanes, _ = collate([views[0, 0], views[1, 0]])
    assert image.shape == (2, 3, 36, 64)
    assert lanes.shape == (2, 6, 7, 2)
    assert type(lanes) is torch.Tensor


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected from 1 to 10 labelled images, as many as there are, got 11"):
        ten(tmp_path, labels=11)
    data = ten(tmp_path)
    (tmp_path / "0.png").unlink()
    with pytest.raises(Unreadable, match=r"expected an image at .*0\.png, got no such file"):
        data[0]
    with pytest.raises(UsageError, match=r"expected a list at .*none\.txt, got no such file"):
        lines_of(tmp_path / "none.txt", "a list")
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(UsageError, match=r"expected a list in .*empty\.txt, got an empty file"):
        lines_of(tmp_path / "empty.txt", "a list")
    (tmp_path / "broken.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"expected a list as text in .*broken\.txt, got a broken file \("):
        lines_of(tmp_path / "broken.txt", "a list")


def test_labels_can_be_read_before_a_training(tmp_path: Path) -> None:
    data = CULane(write_culane_layout(tmp_path), "val")
    data.check_labels()
    lanes = data.images[0].with_suffix(".lines.txt")
    lanes.write_text("1 2 3 4\n1 2 x\n")
    with pytest.raises(Unreadable, match=r"expected numbers in .*00000\.lines\.txt, line 2, got '1 2 x': mend"):
        data.check_labels()
