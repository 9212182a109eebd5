"""Reading an image and a mask of class ids from a file, at its own size, with the file named where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as BadDeflate

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from torch import Tensor

from pupil.data.archives import File
from pupil.errors import UsageError

# With any of these Pillow, or the archive that holds the file, says that the bytes are not what the format promises.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, BadZipFile, BadDeflate)
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
_SINGLE_CHANNEL = ("1", "L", "P", "I", "I;16")
# Pillow stretches grey PNGs of 2 and 4 bits to the full range of a byte; as class ids they are stretched back.
_STRETCH = {"L;2": 85, "L;4": 17}


class Unreadable(UsageError):
    """A file that is missing, corrupt, or no image: the fault of the file alone, which a run may survive."""

    def advised(self, *, skip: bool) -> Unreadable:
        """The same with what to do about it, where a run begins; with `skip` it has been told to go on already."""
        return Unreadable(f"{self}: mend or remove it{'' if skip else ', or pass --skip-bad-images'}")


def read_image(path: File) -> Tensor:
    """An image file as a tensor of red, green and blue, turned upright as its EXIF orientation says.

    Grey images get three equal channels, palettes their colours; transparency is dropped.

    Args:
        path: any format that Pillow reads; a file, or one in an archive.

    Shape:
        - returned: (3, H, W), uint8.

    Raises:
        UsageError: the file is missing, corrupt, or no image.
    """
    return torch.from_numpy(read_rgb(path)).permute(2, 0, 1)


def read_rgb(path: File) -> NDArray[np.uint8]:
    """The same as an array.

    Shape:
        - returned: (H, W, 3), uint8.

    Raises:
        UsageError: the file is missing, corrupt, or no image.
    """
    with _opened(path) as file:
        return rgb_array(ImageOps.exif_transpose(file))


def read_mask(path: Path) -> NDArray[np.integer[Any]]:
    """A mask file as class ids; the indices of a palette, never its colours.

    Args:
        path: a single-channel image, PNG as a rule.

    Shape:
        - returned: (H, W), an integer type.

    Raises:
        UsageError: the file is missing, corrupt, or has more than one channel.
    """
    with _opened(path) as file:
        _check_single_channel(path, file.mode)
        stretch = _STRETCH.get(str(file.tile[0][3]) if file.tile else "", 1)
        ids = np.array(file, dtype=np.uint8 if file.mode == "1" else None)
    return ids if stretch == 1 else ids // stretch


def is_painted(path: Path) -> bool:
    """Whether an image has several channels, as a mask has that shows colours instead of ids.

    Raises:
        UsageError: the file is missing, corrupt, or no image.
    """
    with _opened(path) as file:
        return file.mode not in _SINGLE_CHANNEL


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as `read_image` returns it, from the file's header alone.

    Raises:
        UsageError: the file is missing, corrupt, or no image.
    """
    with _opened(path) as file:
        width, height = file.size
        # Pillow itself turns TIFF, and would decode a whole PNG to learn that it has no EXIF.
        tagged = file.format != "TIFF" and "exif" in file.info
        lying = tagged and file.getexif().get(_ORIENTATION, 1) >= 5
    return (width, height) if lying else (height, width)


def first_size(paths: Sequence[Path]) -> tuple[int, int]:
    """The same of the first image that can be read, among the first hundred.

    Raises:
        UsageError: none can; it is that of the first.
    """
    for path in paths[:100]:
        with suppress(Unreadable):
            return image_size(path)
    return image_size(paths[0])


def mask_size(path: Path) -> tuple[int, int]:
    """Height and width of a mask, from the file's header alone.

    Raises:
        UsageError: the file is missing, corrupt, or has more than one channel.
    """
    with _opened(path) as file:
        _check_single_channel(path, file.mode)
        return file.height, file.width


def rgb_array(image: Image.Image) -> NDArray[np.uint8]:
    """An opened image of any colour mode as an array of red, green and blue.

    Shape:
        - returned: (H, W, 3), uint8.

    Example:
        >>> rgb_array(Image.new("L", (1, 2), 7)).tolist()
        [[[7, 7, 7]], [[7, 7, 7]]]
    """
    if image.mode.startswith("I;16"):  # Pillow would clip 16 bits at 255 instead of scaling them
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode == "P":  # a palette with transparency warns unless it passes through RGBA
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


@contextmanager
def _opened(path: File) -> Iterator[ImageFile.ImageFile]:
    try:
        with path.open("rb") as content, Image.open(content) as file:
            yield file
    except FileNotFoundError:
        raise Unreadable(f"expected an image at {path}, got no such file") from None
    except UsageError:
        raise
    except UnidentifiedImageError:
        raise Unreadable(f"cannot read {path}: the file is corrupt or no image") from None
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise Unreadable(f"cannot read {path}: the file is corrupt or no image ({error})") from error


def _check_single_channel(path: Path, mode: str) -> None:
    if mode not in _SINGLE_CHANNEL:
        raise UsageError(
            f"expected one channel of class ids in the mask {path}, got the colour mode {mode}: "
            "save it as a grey or palette PNG whose values are class ids"
        )
