"""Times of day: where the light comes from, its colour, and the sky it makes."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .palette import Colour, scale

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """One moment of the day.

    Attributes:
        ambient, sun: strength per red, green, blue; together about 1 makes a colour look as painted.
        towards_sun: unit vector, x right, y up, z ahead.
        sky_top, sky_low: colours overhead and at the horizon.
        lit_share: share of windows and lamps that are lit.
    """

    ambient: Colour
    sun: Colour
    towards_sun: Vector
    sky_top: Colour
    sky_low: Colour
    lit_share: float

    def fall(self, normal: Vector) -> float:
        """Share of sunlight that a surface with this unit normal catches."""
        return max(0.0, float(np.dot(normal, self.towards_sun)))


@dataclass(frozen=True)
class Mood:
    """The middle of a time of day, before chance shifts it."""

    ambient: Colour
    sun: Colour
    sun_height_deg: tuple[float, float]
    sky_top: Colour
    sky_low: Colour
    lit_share: float


MOODS = {
    "morning": Mood((0.56, 0.56, 0.60), (0.58, 0.50, 0.40), (20, 35), (120, 165, 215), (240, 226, 204), 0.05),
    "noon": Mood((0.54, 0.56, 0.60), (0.56, 0.54, 0.50), (40, 65), (88, 146, 214), (190, 216, 235), 0.0),
    "overcast": Mood((0.86, 0.87, 0.88), (0.10, 0.10, 0.10), (40, 60), (158, 170, 184), (204, 210, 216), 0.05),
    "evening": Mood((0.54, 0.50, 0.54), (0.62, 0.46, 0.32), (16, 28), (124, 128, 182), (246, 196, 150), 0.25),
    "dusk": Mood((0.62, 0.60, 0.70), (0.06, 0.04, 0.06), (8, 15), (74, 84, 140), (196, 158, 170), 0.5),
    "night": Mood((0.50, 0.52, 0.64), (0.08, 0.08, 0.12), (30, 60), (22, 30, 66), (60, 66, 106), 0.6),
}
_FREQUENCIES = (0.2, 0.26, 0.2, 0.14, 0.1, 0.1)


def choose_light(rng: Generator) -> Light:
    """A time of day with its own direction, strength and warmth."""
    mood = MOODS[str(rng.choice(list(MOODS), p=_FREQUENCIES))]
    height, azimuth = np.deg2rad(rng.uniform(*mood.sun_height_deg)), rng.uniform(0, 2 * np.pi)
    across = float(np.cos(height))
    warmth, strength = rng.normal(0, 0.03), rng.uniform(0.9, 1.1)
    return Light(
        ambient=_warm(scale(mood.ambient, strength), warmth),
        sun=_warm(scale(mood.sun, strength), warmth),
        towards_sun=(across * float(np.cos(azimuth)), float(np.sin(height)), across * float(np.sin(azimuth))),
        sky_top=_warm(scale(mood.sky_top, rng.uniform(0.85, 1.1)), warmth),
        sky_low=_warm(scale(mood.sky_low, rng.uniform(0.9, 1.05)), warmth),
        lit_share=mood.lit_share,
    )


def _warm(colour: Colour, warmth: float) -> Colour:
    return colour[0] * (1 + warmth), colour[1], colour[2] * (1 - warmth)
