"""Mask files become ids: the look-up against a naive loop, and what has no id named with its file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.miniature import save
from pupil.data.masks import PLAIN, painted, renumbered
from pupil.errors import UsageError

COLOURS = {(0, 0, 0): 255, (255, 0, 1): 0, (0, 1, 255): 1, (1, 255, 0): 2}


def test_renumbering_is_the_same_as_a_loop_over_pixels(tmp_path: Path) -> None:
    ids = {0: 255, 7: 0, 8: 1, 200: 2}
    values = np.random.default_rng(0).choice([*ids], (9, 7)).astype(np.uint8)
    path = save(tmp_path / "mask.png", values)
    reader = renumbered(ids)
    assert reader.read(path).tolist() == [[ids[value] for value in row] for row in values.tolist()]
    assert reader.size(path) == PLAIN.size(path) == (9, 7)
    assert (PLAIN.read(path) == values).all()


def test_painting_is_the_same_as_a_loop_over_pixels(tmp_path: Path) -> None:
    chosen = np.random.default_rng(0).choice(len(COLOURS), (9, 7))
    rgb = np.array([*COLOURS], np.uint8)[chosen]
    path = save(tmp_path / "mask.png", rgb)
    expected = [[COLOURS[tuple(pixel)] for pixel in row] for row in rgb.tolist()]
    reader = painted(COLOURS)
    assert reader.read(path).tolist() == expected
    assert reader.size(path) == (9, 7)
    Image.fromarray(rgb).convert("RGBA").save(path)
    assert reader.read(path).tolist() == expected


def test_a_palette_counts_as_the_colours_it_shows(tmp_path: Path) -> None:
    mask = Image.fromarray(np.array([[2, 1], [0, 2]], np.uint8))
    mask.putpalette([0, 1, 255, 255, 0, 1, 0, 0, 0])
    mask.save(tmp_path / "mask.png")
    assert painted(COLOURS).read(tmp_path / "mask.png").tolist() == [[255, 0], [1, 255]]


def test_decoded_masks_stay_small_and_ignored_ids_may_be_any_number(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", [[0, 1]])
    assert renumbered({0: 255, 1: 0}).read(path).dtype == np.uint8
    assert renumbered({0: -100, 1: 0}).read(path).tolist() == [[-100, 0]]
    assert renumbered({0: 300, 1: 0}).read(path).tolist() == [[300, 0]]


def test_a_value_without_an_id_is_named_with_its_file(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", [[0, 151, 9, 9]])
    with pytest.raises(UsageError) as caught:
        renumbered({0: 255, 1: 0, 2: 1, 7: 2, 11: 3, 10: 4}).read(path)
    assert str(caught.value) == (
        f"expected values 0 to 2 and 7 and 10 to 11 in {path}, got 9, 151: "
        "is it the mask file of this layout? choose another one with --format"
    )


def test_a_colour_without_an_id_is_named_with_its_file(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", [[(0, 0, 0), (255, 0, 2), (254, 0, 1)]])
    with pytest.raises(UsageError, match=r"of 4 known classes in .*mask\.png, got \[254, 0, 1\], \[255, 0, 2\]: give"):
        painted(COLOURS).read(path)


def test_readers_travel_to_workers(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", [[(0, 0, 0)]])
    assert pickle.loads(pickle.dumps(painted(COLOURS))).read(path).tolist() == [[255]]
    path = save(tmp_path / "mask.png", [[1]])
    assert pickle.loads(pickle.dumps(renumbered({1: 7}))).read(path).tolist() == [[7]]
