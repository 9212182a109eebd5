"""Boxes that can be seen on any ground, and names that can be read."""

from __future__ import annotations

import pytest
import torch

from pupil.tasks.detection.drawing import against, enlarged, factor_to_read, meet, with_boxes


@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (0, 0, 60), (250, 250, 0)])
def test_a_box_of_any_colour_stands_out_from_any_ground(ground, colour):
    picture = torch.full((3, 40, 60), ground, dtype=torch.uint8)
    drawn = with_boxes(picture, torch.tensor([[10.0, 8, 30, 20]]), [colour])
    assert drawn[:, 8, 20].tolist() == list(colour)
    assert drawn[:, 7, 20].tolist() == list(against(colour))
    assert (drawn[:, 7:9].float() - ground).abs().max() > 150
    assert torch.equal(drawn[:, 10:18, 12:28], picture[:, 10:18, 12:28])
    assert (picture == ground).all()


def test_lines_are_wider_in_larger_pictures():
    picture = torch.zeros(3, 800, 1000, dtype=torch.uint8)
    drawn = with_boxes(picture, torch.tensor([[100.0, 100, 600, 600]]), [(0, 255, 0)])
    assert (drawn[1, :300, 400] == 255).sum() == 4
    assert (drawn[:, :40].sum(), drawn[0].sum()) == (0, 0)


def test_the_first_box_lies_on_top():
    picture, corners = torch.zeros(3, 40, 40, dtype=torch.uint8), torch.tensor([[5.0, 5, 20, 20]] * 2)
    assert with_boxes(picture, corners, [(255, 0, 0), (0, 0, 255)])[:, 5, 10].tolist() == [255, 0, 0]


def test_names_lie_apart_and_inside_of_the_picture():
    picture = torch.full((3, 480, 640), 90, dtype=torch.uint8)
    colours = [(255, 255, 0), (0, 255, 255), (255, 200, 200)]
    # Two at one place, and one in a corner without room above or to the right.
    corners = torch.tensor([[200.0, 200, 260, 300], [200, 200, 260, 300], [600, 0, 639, 40]])
    drawn = with_boxes(picture, corners, colours, ["car 0.98", "person 0.51", "sign 0.70"])
    plates = [(drawn == torch.tensor(colour)[:, None, None]).all(0) for colour in colours]
    for plate in plates:
        assert plate.sum() > 400
    above, below = plates[0][:198].sum(), plates[1][302:].sum()
    assert min(above, below) > 400
    assert plates[2][:, :600].sum() > 100
    # What is written on them is black.
    assert ((drawn == 0).all(0) & (torch.arange(480) < 195)[:, None]).sum() > 100


def test_small_images_are_enlarged_and_large_ones_are_not():
    assert [factor_to_read(*size) for size in ((96, 128), (479, 640), (480, 640), (2000, 30))] == [5, 2, 1, 1]
    larger = enlarged(torch.full((3, 4, 6), 0.5), 3)
    assert larger.shape == (3, 12, 18)
    torch.testing.assert_close(larger, torch.full((3, 12, 18), 0.5))


def test_rectangles_meet():
    assert meet((0, 0, 4, 4), (4, 4, 8, 8))
    assert not meet((0, 0, 4, 4), (5, 0, 8, 4))
    assert not meet((0, 0, 4, 4), (0, 5, 4, 8))
