"""The colours of a street: of cars, walls, coats, skins, leaves and signs."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

Colour = tuple[float, float, float]

CAR_PAINT: tuple[Colour, ...] = (
    (0.72, 0.10, 0.10),
    (0.12, 0.22, 0.46),
    (0.86, 0.86, 0.84),
    (0.10, 0.10, 0.11),
    (0.52, 0.53, 0.55),
    (0.66, 0.60, 0.50),
    (0.15, 0.34, 0.26),
    (0.78, 0.58, 0.16),
    (0.40, 0.20, 0.16),
    (0.34, 0.40, 0.46),
)
WALL_PAINT: tuple[Colour, ...] = (
    (0.62, 0.36, 0.28),
    (0.80, 0.72, 0.56),
    (0.58, 0.58, 0.58),
    (0.74, 0.52, 0.36),
    (0.86, 0.84, 0.78),
    (0.46, 0.34, 0.28),
    (0.54, 0.60, 0.62),
    (0.80, 0.62, 0.58),
    (0.60, 0.64, 0.50),
    (0.40, 0.42, 0.46),
)
COATS: tuple[Colour, ...] = (
    (0.80, 0.16, 0.14),
    (0.14, 0.20, 0.42),
    (0.16, 0.16, 0.17),
    (0.82, 0.74, 0.28),
    (0.30, 0.40, 0.28),
    (0.72, 0.72, 0.72),
    (0.46, 0.32, 0.24),
    (0.62, 0.34, 0.52),
    (0.40, 0.42, 0.46),
)
SKINS: tuple[Colour, ...] = ((0.90, 0.72, 0.60), (0.76, 0.56, 0.42), (0.50, 0.34, 0.24), (0.34, 0.22, 0.16))
LEAVES: tuple[Colour, ...] = (
    (0.24, 0.40, 0.16),
    (0.34, 0.46, 0.18),
    (0.18, 0.32, 0.18),
    (0.60, 0.46, 0.16),
    (0.58, 0.30, 0.14),
)
SIGN_PAINT: tuple[tuple[Colour, Colour], ...] = (
    ((0.78, 0.10, 0.10), (0.92, 0.92, 0.90)),
    ((0.92, 0.92, 0.92), (0.12, 0.30, 0.66)),
    ((0.92, 0.92, 0.92), (0.78, 0.10, 0.10)),
    ((0.20, 0.20, 0.20), (0.90, 0.72, 0.12)),
    ((0.92, 0.92, 0.92), (0.14, 0.46, 0.30)),
)


def pick(random: Generator, choices: Sequence[Colour]) -> Colour:
    """One of the colours, never twice quite the same."""
    red, green, blue = choices[int(len(choices) * random.random())]
    shade = random.uniform(0.82, 1.12)
    return (red * shade, green * shade, blue * shade)


def scaled(colour: Colour, factor: float) -> Colour:
    """A lighter or darker colour."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)
