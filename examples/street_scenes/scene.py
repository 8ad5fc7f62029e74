"""One scene: a street drawn from far to near, seen in its light and weather."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import SAMPLES, Canvas, Ink, open_canvas, settle_labels
from .ground import lay_ground, paint_sky
from .layout import lay_out
from .lens import expose
from .palette import Label, paint_body, scale
from .shadows import cast_shadows
from .street import Street, plan_street
from .weather import choose_weather, develop


@dataclass(frozen=True)
class Scene:
    """A photo and the truth about it.

    Attributes:
        image_HWC: red green blue, 0 to 255.
        mask_HW: ids of `palette.Label`.
    """

    image_HWC: NDArray[np.uint8]
    mask_HW: NDArray[np.uint8]


def draw_scene(rng: Generator, *, width_px: int, height_px: int) -> Scene:
    """A scene of this size; the same generator state gives the same scene."""
    street = plan_street(rng, width_px=width_px, height_px=height_px)
    canvas = open_canvas(height_px * SAMPLES, width_px * SAMPLES)
    paint_sky(canvas, street, rng)
    lay_ground(canvas, street, rng)
    things = lay_out(street, rng)
    cast_shadows(canvas, street, [thing.box for thing in things])
    for thing in sorted(things, key=lambda thing: -thing.depth_m):
        thing.draw(canvas, rng)
    if rng.random() < 0.25:
        _show_bonnet(canvas, street, rng)
    mask_HW = settle_labels(canvas.paint_HWC[..., 3])
    return Scene(expose(develop(canvas, street, choose_weather(street, rng), rng), rng), mask_HW)


def _show_bonnet(canvas: Canvas, street: Street, rng: Generator) -> None:
    """The bonnet of the car that carries the camera: nothing that a mask should name."""
    height, width = canvas.paint_HWC.shape[:2]
    middle, rise = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.05, 0.12)
    turn = np.linspace(np.pi, 2 * np.pi, 24)
    arch = np.column_stack([middle + width * 0.62 * np.cos(turn), height + 2 + rise * np.sin(turn)])
    colour = paint_body(rng)
    canvas.fill([arch], Ink(scale(colour, 0.8), Label.VOID, 1.0, street.light.fall((0, 1, 0))))
    canvas.fill([(arch - (middle, height)) * (0.8, 0.75) + (middle, height)], Ink(colour, Label.VOID, 1.0, 0.8))
