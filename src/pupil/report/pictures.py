"""Pictures from uint8 tensors: as data URIs inside a page, and as files."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pupil.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

WIDEST = 480


def data_uri(picture: Tensor, widest: int = WIDEST) -> str:
    """A picture as a `data:` URI of a PNG, made smaller where it is wider than a page can show.

    Args:
        picture: the pixels.
        widest: width in pixels that is kept.

    Shape:
        picture: (3, H, W) uint8.

    Raises:
        UsageError: for another shape or type.

    Example:
        >>> import torch
        >>> data_uri(torch.zeros(3, 2, 2, dtype=torch.uint8))[:22]
        'data:image/png;base64,'
    """
    from PIL import Image

    if picture.dim() != 3 or picture.shape[0] != 3 or str(picture.dtype) != "torch.uint8":
        raise UsageError(
            f"expected a picture (3, H, W) of uint8, got {tuple(picture.shape)} of {picture.dtype}: "
            "draw it with the task"
        )
    image = _image(picture)
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def save_picture(path: Path, picture: Tensor) -> None:
    """Write a picture (3, H, W) of uint8 as a PNG."""
    _image(picture).save(path)


def save_mask(path: Path, ids: Tensor, colours: Sequence[Sequence[int]]) -> None:
    """Write class ids (H, W) as a PNG whose palette shows each class in its colour.

    Args:
        path: the file.
        ids: class ids below 256.
        colours: (red, green, blue) of each class.
    """
    import torch
    from PIL import Image

    mask = Image.fromarray(ids.to(torch.uint8).cpu().numpy())
    mask.putpalette([part for colour in colours for part in colour])
    mask.save(path)


def _image(picture: Tensor) -> Image.Image:
    from PIL import Image

    return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
