"""The steps by which training pictures are varied, named as Roboflow's settings name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from atrous.datasets.setting_fields import number, switch, whole


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Four training pictures in one."""


@dataclass(frozen=True, slots=True)
class Flip:
    """Mirrored, each way in half of the pictures."""

    horizontal: bool = switch(default=False)
    vertical: bool = switch(default=False)


@dataclass(frozen=True, slots=True)
class Ninety:
    """Turned by one of the chosen quarter turns or by none; of an oblong network's input, stretched to fill it."""

    clockwise: bool = switch(default=False)
    counter_clockwise: bool = switch(default=False, key="counter-clockwise")
    upside_down: bool = switch(default=False, key="upside-down")


@dataclass(frozen=True, slots=True)
class Rotate:
    """Turned either way by up to so many degrees."""

    degrees: float = number(0, 180)


@dataclass(frozen=True, slots=True)
class Shear:
    """Slanted either way by up to so many degrees."""

    horizontal: float = number(0, 45, default=0)
    vertical: float = number(0, 45, default=0)


@dataclass(frozen=True, slots=True)
class Crop:
    """Zoomed into, so that a share of each side between the two percentages is lost."""

    most_percent: float = number(0, 95, key="max")
    least_percent: float = number(0, 95, default=0, key="min")


@dataclass(frozen=True, slots=True)
class Hue:
    """Colours turned either way by up to so many degrees."""

    degrees: float = number(0, 180)


@dataclass(frozen=True, slots=True)
class Saturation:
    """Colours stronger or paler by up to a share."""

    percent: float = number(0, 99)


@dataclass(frozen=True, slots=True)
class RandomGrayscale:
    """Without colour in a share of the pictures."""

    percent: float = number(0, 100)


@dataclass(frozen=True, slots=True)
class Brightness:
    """All levels multiplied: brighter, darker or either, by up to a share."""

    brighten: bool = switch(default=True)
    darken: bool = switch(default=True)
    percent: float = number(0, 99, default=15)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Middle levels lifted or lowered by a power whose exponent differs from 1 by up to a share."""

    percent: float = number(0, 99)


@dataclass(frozen=True, slots=True)
class Blur:
    """Blurred with a standard deviation of up to so many pixels."""

    pixels: float = number(0, 50)


@dataclass(frozen=True, slots=True)
class MotionBlur:
    """Smeared along a line of up to so many pixels; its direction in degrees is drawn where it is not given."""

    length: float = number(1, 100)
    angle: float | None = number(0, 360, default=None)


@dataclass(frozen=True, slots=True)
class CameraGain:
    """Sensor noise as at a gain of up to so many decibels: its standard deviation is as many levels as the factor."""

    gain: float = number(0, 36)


@dataclass(frozen=True, slots=True)
class Noise:
    """Up to a share of the pixels black or white."""

    percent: float = number(0, 50)


@dataclass(frozen=True, slots=True)
class Cutout:
    """So many boxes, each of a share of both sides, black and void."""

    count: int = whole(1, 64)
    percent: float = number(1, 90)


Augmentation: TypeAlias = (
    Mosaic
    | Flip
    | Ninety
    | Rotate
    | Shear
    | Crop
    | Hue
    | Saturation
    | RandomGrayscale
    | Brightness
    | Exposure
    | Blur
    | MotionBlur
    | CameraGain
    | Noise
    | Cutout
)

# In the order in which they are taken, whatever the order in the settings.
AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "mosaic": Mosaic,
    "flip": Flip,
    "ninety": Ninety,
    "rotate": Rotate,
    "shear": Shear,
    "crop": Crop,
    "hue": Hue,
    "saturation": Saturation,
    "rgrayscale": RandomGrayscale,
    "brightness": Brightness,
    "exposure": Exposure,
    "blur": Blur,
    "motion-blur": MotionBlur,
    "camera-gain": CameraGain,
    "noise": Noise,
    "cutout": Cutout,
}
