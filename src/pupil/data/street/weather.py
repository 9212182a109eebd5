"""Light and weather: what turns flat paint into a photograph that is sometimes hard to read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pupil.data.street.camera import Camera
from pupil.data.street.canvas import Polygons
from pupil.data.street.world import LANE_MARK, PAVEMENT, ROAD, SHOP, TREE

Image = NDArray[np.float32]
Vector = tuple[float, float, float]
CONDITIONS = ("clear", "overcast", "rain", "fog", "dusk", "night")


@dataclass(frozen=True)
class Weather:
    """Everything about light and lens that does not depend on the size of the image.

    Args:
        condition: one of `CONDITIONS`.
        sun: direction towards the sun in world axes.
        direct, ambient: colours of the sun's and of the sky's light.
        zenith, horizon: colours of the sky.
        clouds: share of the sky that is clouded.
        visibility: metres at which a thing has faded to 1 / e into the horizon's colour.
        shade: what remains of the light in a shadow.
        noise, blur: of the sensor; blur in 1 / 64 of the image's height.
        rain: how many streaks cross the image.
        gain, gamma: of the sensor; gain for each colour.
        lamps: whether the lights of cars are on.
    """

    condition: str
    sun: Vector
    direct: Vector
    ambient: Vector
    zenith: Vector
    horizon: Vector
    clouds: float
    visibility: float
    shade: float
    noise: float
    blur: float
    rain: int
    gain: Vector
    gamma: float
    lamps: bool

    @property
    def shift(self) -> tuple[float, float]:
        """How far a point one metre up throws its shadow, in x and z; nothing without a sun."""
        if self.condition not in ("clear", "dusk"):
            return (0.0, 0.0)
        return (-self.sun[0] / self.sun[1], -self.sun[2] / self.sun[1])


def draw_weather(random: Generator) -> Weather:
    """Draw a condition and its light."""
    condition = CONDITIONS[int(random.choice(6, p=[0.32, 0.2, 0.14, 0.14, 0.12, 0.08]))]
    low = condition == "dusk"
    elevation = math.radians(random.uniform(12, 22) if low else random.uniform(28, 62))
    azimuth = math.radians(random.uniform(20, 160)) * (1 if random.random() < 0.5 else -1)
    sun = (
        math.sin(azimuth) * math.cos(elevation),
        math.sin(elevation),
        math.cos(azimuth) * math.cos(elevation),
    )
    grey = random.uniform(0.62, 0.88)
    skies: dict[str, tuple[Vector, Vector, Vector, Vector]] = {
        "clear": ((0.62, 0.58, 0.50), (0.52, 0.55, 0.62), (0.30, 0.52, 0.86), (0.76, 0.85, 0.93)),
        "overcast": (
            (0.05, 0.05, 0.05),
            (0.80, 0.82, 0.84),
            (grey * 0.86, grey * 0.89, grey * 0.93),
            (grey, grey, grey),
        ),
        "rain": ((0.02, 0.02, 0.02), (0.72, 0.75, 0.79), (0.48, 0.52, 0.57), (0.62, 0.66, 0.70)),
        "fog": ((0.03, 0.03, 0.03), (0.80, 0.81, 0.83), (grey * 0.96, grey * 0.97, grey), (grey, grey, grey)),
        "dusk": ((0.66, 0.42, 0.26), (0.52, 0.46, 0.50), (0.30, 0.32, 0.54), (0.94, 0.62, 0.42)),
        "night": ((0.02, 0.02, 0.03), (0.29, 0.30, 0.38), (0.04, 0.05, 0.11), (0.15, 0.15, 0.21)),
    }
    direct, ambient, zenith, horizon = skies[condition]
    far = {"fog": random.uniform(18, 55), "rain": random.uniform(70, 160), "night": 200.0}
    level = random.uniform(0.8, 1.1)
    cast = random.normal(1.0, 0.035, 3) * level
    return Weather(
        condition=condition,
        sun=sun,
        direct=direct,
        ambient=ambient,
        zenith=zenith,
        horizon=horizon,
        clouds={"clear": random.uniform(0, 0.6), "dusk": 0.5, "night": 0.0}.get(condition, 0.9),
        visibility=float(far.get(condition, random.uniform(180, 600))),
        shade=random.uniform(0.45, 0.65) if condition == "clear" else 0.75,
        noise=random.uniform(0.01, 0.035) * (1.5 if condition in ("night", "dusk") else 1.0),
        blur=random.uniform(0.0, 0.55),
        rain=int(random.uniform(50, 140)) if condition == "rain" else 0,
        gain=(float(cast[0]), float(cast[1]), float(cast[2])),
        gamma=random.uniform(0.8, 1.1),
        lamps=condition in ("dusk", "night", "rain"),
    )


# How strongly the surface of each class varies, and over how many metres.
_ROUGHNESS = np.array([0.0, 0.10, 0.42, 0.12, 0.14, 0.22, 0.05, 0.08, 0.03], np.float32)


def _tile(side: int = 512) -> Image:
    """A square of cloudy noise that repeats without a seam: amplitude falls as 1 / frequency. Between -1 and 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    spectrum = np.fft.rfft2(np.random.default_rng(7).standard_normal((side, side)))
    noise = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / 64) ** 1.1)
    return np.asarray(np.clip(noise / noise.std() / 2, -1, 1), np.float32)


_TILE = _tile()


def light(
    weather: Weather, polygons: Polygons, numbers: NDArray[np.int32], shadow: NDArray[np.bool_], camera: Camera
) -> Image:
    """The picture of a painted canvas before the lens. Shape: (3, H, W), about 0 to 1."""
    height, width = numbers.shape
    row, column = np.arange(height)[:, None] + np.float64(0.5), np.arange(width)[None] + np.float64(0.5)
    sky = numbers == 0
    depth = (1 / np.where(sky, 1, polygons.inverse_depth(numbers, row, column))).astype(np.float32)
    across = ((column - width / 2) / camera.focal).astype(np.float32)
    down = ((row - height / 2) / camera.focal).astype(np.float32)
    cosine, sine = math.cos(camera.pitch), math.sin(camera.pitch)
    x = across * depth
    up = camera.height - (down * cosine + sine) * depth
    z = (cosine - down * sine) * depth

    # One solid texture for every surface: two world coordinates that vary on ground, walls and fronts alike.
    flat = np.isin(polygons.classes, (ROAD, PAVEMENT, LANE_MARK))
    first = ((x + 0.7 * z) * 24).astype(np.int32) & 511
    second = (np.where(flat[numbers], z, up) * 24).astype(np.int32) & 511
    texture = 1 + _ROUGHNESS[polygons.classes][numbers] * _TILE[first, second]
    texture *= np.where(shadow, np.float32(weather.shade), np.float32(1))

    sunlit = np.maximum(np.array([weather.sun[0], -weather.sun[1], weather.sun[2]]) @ polygons.normals, 0)
    sunlit[flat] = weather.sun[1]
    sunlit[polygons.classes == TREE] = 0.5
    level = np.array(weather.ambient)[:, None] + np.array(weather.direct)[:, None] * sunlit
    if weather.lamps:
        level = np.where(polygons.glow, 1.15, level)
    colours = (polygons.colours * level).astype(np.float32)

    image = np.stack([channel[numbers] for channel in colours]) * texture
    _windows(image, weather, polygons, numbers, x, up, z)
    if weather.condition == "night":
        beam = np.exp(-(((across - 0.02) * 2.2) ** 2)) * np.exp(-depth / 22)
        image *= 1 + 2.2 * np.where(polygons.glow[numbers], 0, beam)
    fade = np.exp(-depth / weather.visibility)
    haze = np.array(weather.horizon, np.float32)[:, None, None]
    image = haze + (image - haze) * fade
    _sky(image, weather, sky, camera)
    return np.asarray(image)


def _windows(
    image: Image,
    weather: Weather,
    polygons: Polygons,
    numbers: NDArray[np.int32],
    x: Image,
    up: Image,
    z: Image,
) -> None:
    """Rows of windows in every wall, some of them lit in the dark."""
    rows, columns = np.nonzero(polygons.windows[numbers])
    if not len(rows):
        return
    number = numbers[rows, columns]
    wall = polygons.walls[number].astype(np.float32)
    along = (x[rows, columns] - wall[:, 0]) * wall[:, 2] + (z[rows, columns] - wall[:, 1]) * wall[:, 3]
    style = polygons.windows[number]
    along = along * (style % SHOP)
    storey = up[rows, columns] / 3.0
    shop = (style >= SHOP) & (storey < 1)
    beside = np.abs(along % 1 - 0.5) - np.where(shop, 0.42, 0.24)
    above = np.abs(storey % 1 - np.where(shop, 0.42, 0.55)) - np.where(shop, 0.34, 0.25)
    frame, pane = (beside < 0.06) & (above < 0.06), (beside < 0) & (above < 0)
    image[:, rows[frame], columns[frame]] *= np.float32(1.18)
    rows, columns, number = rows[pane], columns[pane], number[pane]
    cell = number * 7 + np.floor(along[pane]).astype(np.int32) * 31 + np.floor(storey[pane]).astype(np.int32) * 57
    dice = (cell * 40503 % 1021) / 1021
    glass = np.array(weather.zenith, np.float32)[:, None] * 0.22 + 0.07 + 0.12 * dice
    if weather.condition in ("dusk", "night"):
        lit = np.array([[0.95], [0.78], [0.42]], np.float32)
        glass = np.where(dice < 0.35, lit * (0.6 + dice), glass * 0.6)
    image[:, rows, columns] = glass


def _sky(image: Image, weather: Weather, sky: NDArray[np.bool_], camera: Camera) -> None:
    """A gradient, clouds on a ceiling far above, and the sun."""
    rows, columns = np.nonzero(sky)
    if not len(rows):
        return
    width = sky.shape[1]
    rise = np.maximum((camera.horizon - rows) / camera.focal, 0).astype(np.float32)
    share = np.minimum(rise / 0.55, 1) ** 0.7
    zenith, horizon = (np.array(colour, np.float32)[:, None] for colour in (weather.zenith, weather.horizon))
    colour = horizon + (zenith - horizon) * share
    across = ((columns - width / 2) / camera.focal).astype(np.float32)
    far = 14 / (rise + 0.12)
    first = (5 * far * across + 200 * weather.sun[0]).astype(np.int32) & 511
    second = (5 * far + 200 * weather.sun[2]).astype(np.int32) & 511
    cloud = np.clip((_TILE[first, second] * 0.6 + weather.clouds * 1.6 - 0.85) * 2, 0, 1) * 0.5
    white = np.minimum(horizon * 1.05 + 0.06, 1.0)
    colour = colour + (white - colour) * cloud
    if weather.condition in ("clear", "dusk") and weather.sun[2] > 0:
        centre, top = weather.sun[0] / weather.sun[2], weather.sun[1] / weather.sun[2]
        away = (across - centre) ** 2 + (rise - top) ** 2
        colour = colour + np.exp(-away / 0.012) * np.array([[0.5], [0.42], [0.25]], np.float32)
    image[:, rows, columns] = colour


def expose(image: Image, weather: Weather, random: Generator) -> NDArray[np.uint8]:
    """Blur, rain, colour cast, contrast and noise at the size of the final image. Shape: (3, H, W) to (3, H, W)."""
    image = _blur(image, weather.blur * image.shape[1] / 64)
    if weather.rain:
        _streaks(image, weather, random)
    image = np.clip(image * np.array(weather.gain, np.float32)[:, None, None], 0, 1) ** np.float32(weather.gamma)
    image += random.standard_normal(image.shape, dtype=np.float32) * np.float32(weather.noise)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _blur(image: Image, radius: float) -> Image:
    """Three-tap blur along both axes, repeated for a radius of more than a pixel."""
    for _ in range(max(1, round(radius))):
        weight = np.float32(min(radius, 1.0) / 3)
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
        padded = padded[:, 1:-1] * (1 - 2 * weight) + (padded[:, :-2] + padded[:, 2:]) * weight
        image = padded[:, :, 1:-1] * (1 - 2 * weight) + (padded[:, :, :-2] + padded[:, :, 2:]) * weight
    return image


def _streaks(image: Image, weather: Weather, random: Generator) -> None:
    """Slanted, half transparent streaks of rain."""
    _, height, width = image.shape
    count = weather.rain
    top, left = random.random(count) * height, random.random(count) * width
    length = (0.05 + 0.08 * random.random(count)) * height
    steps = np.linspace(0, 1, 2 + height // 8)
    rows = (top + np.outer(steps, length)).astype(np.int64) % height
    columns = (left + np.outer(steps, length) * 0.25).astype(np.int64) % width
    image[:, rows, columns] = image[:, rows, columns] * np.float32(0.8) + np.float32(0.15)
