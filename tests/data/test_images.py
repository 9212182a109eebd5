"""Reading images and masks: upright, in three channels, and never a colour for a class id."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.miniature import save
from pupil.data.images import first_size, image_size, mask_size, read_image, read_mask
from pupil.errors import UsageError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 9, 9], [99, 99, 99], [255, 255, 255]]], np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_formats_give_their_pixels(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", COLOURS, **({"lossless": True} if suffix == "webp" else {}))
    image = read_image(path)
    assert image.dtype == torch.uint8
    assert torch.equal(image, torch.from_numpy(COLOURS).permute(2, 0, 1))
    assert image_size(path) == (2, 3)


def test_jpeg_gives_nearly_its_pixels(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[:, None, None], (1, 40, 3))
    image = read_image(save(tmp_path / "a.jpg", smooth, quality=95))
    assert (image.int() - torch.from_numpy(smooth).permute(2, 0, 1)).abs().max() < 6


def test_grey_transparent_and_palette_images_become_rgb(tmp_path: Path) -> None:
    rgb = torch.from_numpy(COLOURS).permute(2, 0, 1)
    assert torch.equal(read_image(save(tmp_path / "grey.png", COLOURS[..., 0])), rgb[:1].expand(3, -1, -1))
    clear = np.dstack([COLOURS, np.array([[0, 128, 255]] * 2, np.uint8)])
    assert torch.equal(read_image(save(tmp_path / "clear.png", clear)), rgb)
    Image.fromarray(COLOURS).quantize(6).save(tmp_path / "palette.png", transparency=bytes([0, 200]))
    assert torch.equal(read_image(tmp_path / "palette.png"), rgb)
    Image.fromarray(COLOURS[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert torch.equal(read_image(tmp_path / "deep.png"), rgb[:1].expand(3, -1, -1))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_images_are_turned_as_the_camera_was_held(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = np.zeros((40, 24, 3), np.uint8)
    upright[:12, :12] = 255  # white at the top left
    turned = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"a.{suffix}", np.rot90(upright, turned), exif=exif)
    image = read_image(path)
    assert image.shape == (3, *image_size(path)) == (3, 40, 24)
    assert (image.int() - torch.from_numpy(upright).permute(2, 0, 1)).abs().float().mean() < 4


def test_a_palette_mask_is_read_as_indices(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2], [3, 254, 255]], np.uint8)
    mask = Image.fromarray(ids)
    mask.putpalette([(37 * i) % 256 for i in range(768)])
    mask.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode == "P"
    assert np.array_equal(read_mask(tmp_path / "a.png"), ids)


def test_deep_and_black_and_white_masks_are_ids(tmp_path: Path) -> None:
    deep = np.array([[0, 300], [1, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(read_mask(tmp_path / "deep.png"), deep)
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "two.png")
    assert read_mask(tmp_path / "two.png").tolist() == [[1, 0]]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_masks_of_few_bits_are_ids_too(tmp_path: Path, bits: int) -> None:
    ids = (np.arange(8)[None] % 2**bits).astype(np.uint8)
    packed = np.packbits(np.unpackbits(ids.T, axis=1)[:, 8 - bits :].reshape(-1)).tobytes()

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 8, 1, bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + packed)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    assert np.array_equal(read_mask(tmp_path / "a.png"), ids)


@pytest.mark.parametrize("read", [read_mask, mask_size])
def test_a_mask_of_colours_is_refused(tmp_path: Path, read: object) -> None:
    path = save(tmp_path / "a.png", COLOURS)
    with pytest.raises(UsageError, match=r"one channel of class ids in the mask .*a\.png, got the colour mode RGB"):
        read(path)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_file_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"street.{suffix}", np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:700])
    assert image_size(path) == (40, 40)
    with pytest.raises(
        UsageError, match=rf"cannot read .*street\.{suffix}: the file is corrupt or no image \("
    ) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_image, image_size, read_mask, mask_size])
def test_what_is_no_image_or_not_there_is_named(tmp_path: Path, read: object) -> None:
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(UsageError, match=r"cannot read .*a\.png: the file is corrupt or no image$"):
        read(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"expected an image at .*b\.png, got no such file"):
        read(tmp_path / "b.png")


def test_the_first_image_that_can_be_read_says_the_size(tmp_path: Path) -> None:
    paths = [tmp_path / "broken.png", tmp_path / "gone.png", save(tmp_path / "whole.png", COLOURS)]
    paths[0].write_bytes(b"no image")
    assert first_size(paths) == (2, 3)
    with pytest.raises(UsageError, match=r"broken\.png: the file is corrupt"):
        first_size(paths[:2])
