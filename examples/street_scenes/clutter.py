"""Things of no class, which are background: bins, benches, cones, billboards that show what other classes look like."""

import numpy as np
from numpy.random import Generator

from .canvas import Canvas, Ink
from .palette import VIVID, WHITE, Colour, Label, mix_paint, paint_cloth, paint_stone, pick, scale
from .street import Street

_ORANGE: Colour = (236, 104, 36)


def put_bin(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A bin with a lid."""
    colour = pick(rng, (*VIVID, paint_stone(rng), (40, 60, 44)))
    high, half = rng.uniform(0.8, 1.2), rng.uniform(0.24, 0.36)
    _draw_trapeze(canvas, street, (x_m, z_m), ((half * 0.85, 0.0), (half, high)), colour)
    _draw_trapeze(canvas, street, (x_m, z_m), ((half * 1.15, high), (half * 0.9, high + 0.14)), scale(colour, 0.7))


def put_bench(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A bench seen from the front."""
    wood = mix_paint(rng, hue=(0.03, 0.12), saturation=(0.2, 0.6), value=(0.3, 0.7))
    for leg in (-0.6, 0.6):
        _draw_trapeze(canvas, street, (x_m + leg, z_m), ((0.05, 0.0), (0.05, 0.45)), (50, 50, 54))
    _draw_trapeze(canvas, street, (x_m, z_m), ((0.8, 0.4), (0.75, 0.52)), wood)
    _draw_trapeze(canvas, street, (x_m, z_m), ((0.75, 0.62), (0.75, 0.86)), scale(wood, 0.85))


def put_cone(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A traffic cone."""
    high = rng.uniform(0.5, 0.8)
    _draw_trapeze(canvas, street, (x_m, z_m), ((0.26, 0.0), (0.05, high)), _ORANGE)
    _draw_trapeze(canvas, street, (x_m, z_m), ((0.18, high * 0.35), (0.12, high * 0.62)), WHITE)


def put_billboard(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A board on two legs, with an advertised car or face on it."""
    for leg in (-0.7, 0.7):
        _draw_trapeze(canvas, street, (x_m + leg, z_m), ((0.06, 0.0), (0.06, 1.0)), (70, 70, 74))
    _draw_trapeze(canvas, street, (x_m, z_m), ((1.1, 0.9), (1.1, 2.5)), WHITE)
    _draw_trapeze(canvas, street, (x_m, z_m), ((1.0, 1.0), (1.0, 2.4)), pick(rng, VIVID))
    shown = paint_cloth(rng)
    _draw_trapeze(canvas, street, (x_m, z_m), ((0.75, 1.25), (0.65, 1.65)), shown)
    _draw_trapeze(canvas, street, (x_m, z_m), ((0.5, 1.65), (0.3, 2.05)), scale(shown, 1.2))


def _draw_trapeze(
    canvas: Canvas,
    street: Street,
    at_xz: tuple[float, float],
    ends: tuple[tuple[float, float], tuple[float, float]],
    colour: Colour,
) -> None:
    """An upright shape, each end given as half width and height above the ground."""
    (x, z), (low, high) = at_xz, ends
    corners = np.array(
        [(x - low[0], low[1], z), (x + low[0], low[1], z), (x + high[0], high[1], z), (x - high[0], high[1], z)]
    )
    canvas.fill([street.camera.project(corners)], Ink(colour, Label.BACKGROUND, z, 0.5))
