"""The classes of a street and the colours it is painted with (RGB, 0 to 255).

Every family of colours is shared by several classes on purpose: no threshold on colour tells them apart.
"""

import colorsys
from enum import IntEnum

from numpy.random import Generator

Colour = tuple[float, float, float]


class Label(IntEnum):
    """What a pixel of the mask can say."""

    BACKGROUND = 0
    ROAD = 1
    SIDEWALK = 2
    BUILDING = 3
    VEGETATION = 4
    CAR = 5
    PERSON = 6
    POLE = 7
    SIGN = 8
    VOID = 255


CLASS_NAMES = {int(label): label.name.lower() for label in Label}

WHITE: Colour = (238, 236, 230)
BLACK: Colour = (28, 28, 32)
GLASS: Colour = (92, 112, 128)
LAMPLIGHT: Colour = (255, 214, 140)
SKIN: tuple[Colour, ...] = ((238, 196, 164), (206, 152, 112), (150, 102, 72), (96, 64, 46))
VIVID: tuple[Colour, ...] = (
    (204, 52, 46),
    (36, 92, 176),
    (240, 190, 40),
    (46, 138, 86),
    (236, 118, 40),
    (126, 66, 148),
    (40, 160, 172),
)


def pick(rng: Generator, colours: tuple[Colour, ...]) -> Colour:
    """One colour of a list."""
    return colours[int(rng.integers(len(colours)))]


def mix_paint(
    rng: Generator, *, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    """A colour from ranges of hue (in turns, may leave 0 to 1), saturation and value."""
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value))
    return 255 * red, 255 * green, 255 * blue


def scale(colour: Colour, factor: float) -> Colour:
    """The colour lighter or darker, kept in range."""
    red, green, blue = (min(255.0, max(0.0, channel * factor)) for channel in colour)
    return red, green, blue


def paint_stone(rng: Generator) -> Colour:
    """Asphalt and concrete: greys that lean warm or cold."""
    return mix_paint(rng, hue=(0.03, 0.65), saturation=(0.0, 0.08), value=(0.28, 0.52))


def paint_paving(rng: Generator, road: Colour) -> Colour:
    """Slabs that stand out from their own road, but not from another street's."""
    lift = rng.uniform(1.35, 1.75)
    tint = mix_paint(rng, hue=(0.02, 0.12), saturation=(0.1, 0.35), value=(1.0, 1.0))
    return scale((road[0] * tint[0] / 255, road[1] * tint[1] / 255, road[2] * tint[2] / 255), lift * 1.1)


def paint_wall(rng: Generator) -> Colour:
    """Plaster, brick, concrete, and now and then a green or sky-blue house."""
    if rng.random() < 0.15:
        return paint_stone(rng)
    return mix_paint(
        rng, hue=(-0.05, 0.11) if rng.random() < 0.75 else (0.4, 0.65), saturation=(0.2, 0.55), value=(0.5, 0.9)
    )


def paint_leaf(rng: Generator, season: str) -> Colour:
    """Leaves of a season; autumn borrows from brick, winter from concrete."""
    if season == "spring":
        hue = (0.2, 0.32) if rng.random() < 0.95 else (0.88, 0.97)
        return mix_paint(rng, hue=hue, saturation=(0.25, 0.6), value=(0.5, 0.85))
    if season == "autumn":
        return mix_paint(rng, hue=(0.09, 0.24), saturation=(0.5, 0.8), value=(0.35, 0.7))
    if season == "winter":
        return mix_paint(rng, hue=(0.22, 0.45), saturation=(0.15, 0.4), value=(0.3, 0.6))
    return mix_paint(rng, hue=(0.22, 0.38), saturation=(0.4, 0.75), value=(0.28, 0.6))


def paint_body(rng: Generator) -> Colour:
    """Car bodies: half are road greys, white or black, the rest any colour."""
    if rng.random() < 0.5:
        return mix_paint(rng, hue=(0.0, 1.0), saturation=(0.0, 0.1), value=(0.14, 0.9))
    return mix_paint(rng, hue=(0.0, 1.0), saturation=(0.3, 0.8), value=(0.3, 0.8))


def paint_cloth(rng: Generator) -> Colour:
    """Clothes: any hue, seldom dull."""
    return mix_paint(rng, hue=(0.0, 1.0), saturation=(0.45, 0.85), value=(0.4, 0.92))
