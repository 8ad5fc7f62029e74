"""What the air does to a picture: fog, rain, snow, and light that spills from lamps.

Axes: H W rows and columns of the picture, C red green blue; images are floats 0 to 255.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import HAZE_LENGTH_M, SAMPLES, Canvas
from .ground import spread_noise
from .palette import Label
from .street import Street

Image = NDArray[np.float32]
_SNOW = np.array((236, 240, 248), np.float32)


@dataclass(frozen=True)
class Weather:
    """Strengths; 0 is none.

    Attributes:
        sight_m: distance at which fog leaves about a third of the contrast.
        wetness: how much the road mirrors, 0 to 1.
        cover: share of the ground under snow, 0 to 1.
    """

    sight_m: float
    streaks: int = 0
    wetness: float = 0.0
    flakes: int = 0
    cover: float = 0.0


def choose_weather(street: Street, rng: Generator) -> Weather:
    """Weather that the season allows."""
    kind = rng.random()
    if street.season == "winter" and kind < 0.55:
        return Weather(rng.uniform(80, 160), flakes=int(rng.integers(0, 260)), cover=rng.uniform(0.3, 0.55))
    if kind < 0.12:
        return Weather(rng.uniform(40, 70))
    if kind < 0.34:
        return Weather(rng.uniform(80, 160), streaks=int(rng.integers(60, 320)), wetness=rng.uniform(0.4, 1.0))
    return Weather(rng.uniform(150, 600))


def develop(canvas: Canvas, street: Street, weather: Weather, rng: Generator) -> Image:
    """The picture as the light and the air make it, at one value per pixel."""
    size = (canvas.paint_HWC.shape[1] // SAMPLES, canvas.paint_HWC.shape[0] // SAMPLES)
    label_HW = canvas.paint_HWC[::SAMPLES, ::SAMPLES, 3]
    paint_HWC = cv2.resize(canvas.paint_HWC[..., :3], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    light_HWC = cv2.resize(canvas.light_HWC, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    if weather.cover:
        paint_HWC = _snow_under(paint_HWC, label_HW, weather.cover, rng)
    image_HWC = _light_up(paint_HWC, light_HWC, street)
    if weather.wetness:
        image_HWC = _mirror(image_HWC, label_HW, street, weather.wetness, rng)
    image_HWC = _fog_in(image_HWC, light_HWC[..., 0], street, weather.sight_m)
    image_HWC = _rain_on(image_HWC, weather.streaks, rng) if weather.streaks else image_HWC
    return _snow_on(image_HWC, weather.flakes, rng) if weather.flakes else image_HWC


def _snow_under(paint_HWC: Image, label_HW: NDArray[np.uint8], cover: float, rng: Generator) -> Image:
    depth_HW = spread_noise(rng, label_HW.shape, (14, 9)) + 0.5 * spread_noise(rng, label_HW.shape, (60, 40))
    share_HW = np.clip((depth_HW + 2 * cover - 1.1) * 2, 0, 0.92)
    # Wheels and feet keep road and sidewalk barer than the lawn.
    strength = np.zeros(256, np.float32)
    strength[[Label.VEGETATION, Label.SIDEWALK, Label.ROAD]] = (0.7, 0.75, 0.55)
    share_HW1 = (share_HW * strength[label_HW])[..., None]
    return np.asarray(paint_HWC * (1 - share_HW1) + _SNOW * share_HW1, np.float32)


def _light_up(paint_HWC: Image, light_HWC: Image, street: Street) -> Image:
    light = street.light
    sun_HW1 = cv2.GaussianBlur(light_HWC[..., 1], (0, 0), 0.8)[..., None]
    glow_HW1 = light_HWC[..., 2:]
    shine_HWC = np.array(light.ambient, np.float32) + sun_HW1 * np.array(light.sun, np.float32)
    image_HWC = paint_HWC * (shine_HWC * (1 - glow_HW1) + glow_HW1)
    if light.lit_share > 0.2:
        is_lamp_HW1 = glow_HW1 * (light_HWC[..., :1] > 0.02)
        source_HWC = cv2.resize(paint_HWC * is_lamp_HW1, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        wide_HWC = cv2.GaussianBlur(source_HWC, (0, 0), 9) * 3.2 / 255
        near_HWC = cv2.GaussianBlur(source_HWC, (0, 0), 1.5)
        size = (paint_HWC.shape[1], paint_HWC.shape[0])
        image_HWC = image_HWC + paint_HWC * cv2.resize(wide_HWC, size) + 0.45 * cv2.resize(near_HWC, size)
    return np.asarray(image_HWC, np.float32)


def _mirror(image_HWC: Image, label_HW: NDArray[np.uint8], street: Street, wetness: float, rng: Generator) -> Image:
    """The far half of the picture, upside down and smeared, in the wet road."""
    horizon = int(street.camera.horizon_px / SAMPLES)
    rows = np.maximum(horizon - np.abs(np.arange(len(image_HWC)) - horizon), 0)
    mirror_HWC = cv2.GaussianBlur(image_HWC[rows], (0, 0), sigmaX=1.5, sigmaY=5)
    wet_HW = np.clip(spread_noise(rng, label_HW.shape, (12, 5)) + 0.5, 0, 1) * (label_HW == Label.ROAD)
    share_HW1 = (0.38 * wetness * wet_HW)[..., None]
    return np.asarray(
        image_HWC * (1 - share_HW1) * (1 - 0.2 * wetness * (share_HW1 > 0)) + mirror_HWC * share_HW1, np.float32
    )


def _fog_in(image_HWC: Image, clear_HW: Image, street: Street, sight_m: float) -> Image:
    through_HW1 = np.maximum(clear_HW, 1e-3)[..., None] ** (HAZE_LENGTH_M / sight_m)
    top, low = np.array(street.light.sky_top, np.float32), np.array(street.light.sky_low, np.float32)
    fog = 0.75 * low + 0.25 * top
    return np.asarray(image_HWC * through_HW1 + fog * (1 - through_HW1), np.float32)


def _rain_on(image_HWC: Image, count: int, rng: Generator) -> Image:
    height, width = image_HWC.shape[:2]
    layer_HW = np.zeros((height, width), np.uint8)
    slant, start_N2 = rng.uniform(-0.35, 0.35), rng.uniform((0, -20), (width, height), (count, 2))
    length_N = rng.uniform(6, 18, count)
    end_N2 = start_N2 + np.column_stack([length_N * slant, length_N])
    streaks = np.stack([start_N2, end_N2], axis=1).astype(np.int32)
    cv2.polylines(layer_HW, list(streaks), isClosed=False, color=255, lineType=cv2.LINE_AA)
    share_HW1 = (layer_HW.astype(np.float32) * (rng.uniform(0.15, 0.4) / 255))[..., None]
    return np.asarray(image_HWC * (1 - share_HW1) + 205 * share_HW1, np.float32)


def _snow_on(image_HWC: Image, count: int, rng: Generator) -> Image:
    height, width = image_HWC.shape[:2]
    layer_HW = np.zeros((height, width), np.uint8)
    for x, y, radius in rng.uniform((0, 0, 4), (width, height, 16), (count, 3)):
        cv2.circle(layer_HW, (int(x * 8), int(y * 8)), int(radius), 255, -1, cv2.LINE_AA, 3)
    share_HW1 = (layer_HW.astype(np.float32) * (0.85 / 255))[..., None]
    return np.asarray(image_HWC * (1 - share_HW1) + 235 * share_HW1, np.float32)
