"""Boxes over an image, as people look at them: on any ground, with a name where there is room for one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Colour = Sequence[int]
Place = tuple[int, int, int, int]

# Pixels of a picture that is enlarged for names to be read: of its shorter side, and the most of its longer one.
SHORT, LONG = 480, 1280
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def pixels(image: Tensor) -> Tensor:
    """An image in [0, 1] as bytes.

    Example:
        >>> pixels(torch.tensor([[[0.0, 1.0, 2.0]]])).tolist()
        [[[0, 255, 255]]]
    """
    return (image.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)


def factor_to_read(height: int, width: int) -> int:
    """How many times an image is enlarged before names are written into it.

    Example:
        >>> factor_to_read(96, 128), factor_to_read(375, 1242), factor_to_read(1080, 1920)
        (5, 1, 1)
    """
    return max(1, min(-(-SHORT // min(height, width)), LONG // max(height, width)))


def enlarged(image: Tensor, factor: int) -> Tensor:
    """An image (3, H, W) with smooth pixels between its own."""
    larger = torch.nn.functional.interpolate(image.detach().cpu().float()[None], scale_factor=factor, mode="bicubic")
    return larger[0]


def with_boxes(picture: Tensor, corners: Tensor, colours: Sequence[Colour], names: Sequence[str] = ()) -> Tensor:
    """A picture with boxes, each in its colour and a thin edge around it that the colour stands out from.

    Args:
        picture: the pixels.
        corners: left, top, right and bottom of each box; the first one comes to lie on top.
        colours: (red, green, blue) of each.
        names: written above each, or below or inside where another one is in the way; by default none.

    Shape:
        picture: (3, H, W) uint8, as it comes back; corners: (M, 4).
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[1:]
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    pen, line = ImageDraw.Draw(image), max(1, min(height, width) // 200)
    edge = -(-line // 2)
    boxes = list(zip(corners.round().int().tolist(), [tuple(each) for each in colours], strict=True))
    for (left, top, right, bottom), colour in reversed(boxes):
        pen.rectangle((left - edge, top - edge, right + edge, bottom + edge), outline=against(colour), width=edge)
        # An object of a few pixels is not to vanish below its own box.
        pen.rectangle((left, top, right, bottom), outline=colour, width=line)
    font, plates = ImageFont.load_default(max(14, min(height, width) // 32)), list[Place]()
    for ((left, top, _, bottom), _), name in zip(boxes, names, strict=bool(names)):
        _, _, long, below = map(int, pen.textbbox((0, 0), name, font=font))
        x, tall = max(0, min(left - edge, width - long - 5)), below + 4
        rows = [y for y in (top - edge - tall, bottom + edge + 1, top) if 0 <= y < height - tall] or [0]
        places = [(x, y, x + long + 4, y + tall - 1) for y in rows]
        plates.append(next((each for each in places if not any(meet(each, other) for other in plates)), places[0]))
    for (x, y, right, bottom), (_, colour), name in reversed(list(zip(plates, boxes, names, strict=False))):
        pen.rectangle((x, y, right, bottom), fill=colour, outline=against(colour))
        pen.text((x + 2, y + 1), name, fill=against(colour), font=font)
    found = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return found.view(height, width, 3).permute(2, 0, 1).contiguous()


def meet(one: Place, other: Place) -> bool:
    """Whether two rectangles (left, top, right, bottom) have a point in common."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def against(colour: Colour) -> tuple[int, int, int]:
    """Black or white, whichever a colour stands out from.

    Example:
        >>> against((255, 255, 0)), against((0, 0, 142))
        ((0, 0, 0), (255, 255, 255))
    """
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else WHITE
