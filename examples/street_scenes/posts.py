"""Thin and small things: lamp posts, masts, sign plates, traffic lights."""

import numpy as np
from numpy.random import Generator

from .camera import Floats
from .canvas import Canvas, Ink
from .palette import BLACK, LAMPLIGHT, VIVID, WHITE, Colour, Label, mix_paint, pick, scale
from .street import Street


def raise_lamp(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A lamp post whose arm reaches over the road."""
    height, reach = rng.uniform(3.3, 4.3), -np.sign(x_m) * rng.uniform(0.6, 1.1)
    metal = paint_post(rng)
    raise_post(canvas, street, x_m, z_m, height_m=height, colour=metal)
    arm = [
        (x_m, height - 0.3, z_m),
        (x_m + reach, height - 0.14, z_m),
        (x_m + reach, height + 0.2, z_m),
        (x_m, height + 0.05, z_m),
    ]
    canvas.fill([street.camera.project(arm)], Ink(metal, Label.POLE, z_m))
    head = [
        (x_m + reach * 0.7, height - 0.02, z_m),
        (x_m + reach * 1.25, height - 0.02, z_m),
        (x_m + reach * 1.2, height + 0.25, z_m),
        (x_m + reach * 0.75, height + 0.25, z_m),
    ]
    is_lit = street.light.lit_share > 0.2
    canvas.fill(
        [street.camera.project(head)],
        Ink(LAMPLIGHT if is_lit else scale(metal, 1.3), Label.POLE, z_m, glow=float(is_lit)),
    )


def raise_mast(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A bare mast, or one with a crossbar on top."""
    height, colour = rng.uniform(4.4, 5.6), paint_post(rng)
    raise_post(canvas, street, x_m, z_m, height_m=height, colour=colour)
    if rng.random() < 0.85:
        bar = [
            (x_m - 0.8, height - 0.35, z_m),
            (x_m + 0.8, height - 0.35, z_m),
            (x_m + 0.8, height, z_m),
            (x_m - 0.8, height, z_m),
        ]
        canvas.fill([street.camera.project(bar)], Ink(colour, Label.POLE, z_m))


def raise_sign(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A traffic sign on its post."""
    height, radius = rng.uniform(2.3, 2.9), rng.uniform(0.68, 0.88)
    raise_post(canvas, street, x_m, z_m, height_m=height, colour=paint_post(rng))
    corners = int(rng.choice((3, 4, 4, 8, 20, 20)))
    rim, face = _choose_plate(rng)
    for size, colour in ((1.0, WHITE), (0.9, rim), (0.68, face)):
        _hang_plate(canvas, street, (x_m, height, z_m), (radius * size, corners), colour)
    mark = np.array(
        [
            (x_m - 0.1, height - radius * 0.4, z_m),
            (x_m + 0.1, height - radius * 0.4, z_m),
            (x_m + 0.1, height + radius * 0.3, z_m),
            (x_m - 0.1, height + radius * 0.3, z_m),
        ]
    )
    canvas.fill([street.camera.project(mark)], Ink(pick(rng, (BLACK, rim, WHITE)), Label.SIGN, z_m))


def raise_traffic_light(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """Three lamps in a box on a post; one is lit."""
    height = rng.uniform(2.7, 3.2)
    raise_post(canvas, street, x_m, z_m, height_m=height - 0.5, colour=paint_post(rng))
    case = [
        (x_m - 0.36, height - 1.2, z_m),
        (x_m + 0.36, height - 1.2, z_m),
        (x_m + 0.36, height + 0.4, z_m),
        (x_m - 0.36, height + 0.4, z_m),
    ]
    canvas.fill([street.camera.project(case)], Ink(pick(rng, (BLACK, (44, 60, 52), (190, 160, 50))), Label.SIGN, z_m))
    lit = int(rng.integers(3))
    for lamp, colour in enumerate(((236, 48, 40), (244, 190, 50), (60, 208, 120))):
        ink = Ink(colour if lamp == lit else scale(colour, 0.3), Label.SIGN, z_m, glow=0.9 * (lamp == lit))
        canvas.fill([street.camera.project(_draw_disc(x_m, height + 0.1 - 0.5 * lamp, z_m, 0.2))], ink)


def raise_post(canvas: Canvas, street: Street, x_m: float, z_m: float, *, height_m: float, colour: Colour) -> None:
    """A post with a lit and a dark side."""
    half = 0.25
    dark = street.camera.project(
        [
            (x_m - half, 0, z_m),
            (x_m + half, 0, z_m),
            (x_m + half * 0.8, height_m, z_m),
            (x_m - half * 0.8, height_m, z_m),
        ]
    )
    bright = dark.copy()
    towards = 0 if street.light.towards_sun[0] < 0 else 1
    bright[[1 - towards, 2 + towards], 0] = (dark[[0, 3], 0] + dark[[1, 2], 0]) / 2
    canvas.fill([dark], Ink(scale(colour, 0.5), Label.POLE, z_m, 0.3))
    canvas.fill([bright], Ink(colour, Label.POLE, z_m, 0.8))


def paint_post(rng: Generator) -> Colour:
    """Galvanised, or painted dark or cream."""
    if rng.random() < 0.85:
        return mix_paint(rng, hue=(0.5, 0.7), saturation=(0.0, 0.12), value=(0.65, 0.95))
    return pick(rng, ((40, 60, 52), (38, 40, 46), (184, 178, 160), (60, 70, 92)))


def _choose_plate(rng: Generator) -> tuple[Colour, Colour]:
    plates: tuple[tuple[Colour, Colour], ...] = (
        (VIVID[0], WHITE),
        (WHITE, VIVID[0]),
        (WHITE, VIVID[1]),
        (VIVID[0], VIVID[1]),
        (BLACK, VIVID[2]),
        (WHITE, VIVID[3]),
    )
    rim, face = plates[int(rng.integers(len(plates)))]
    return rim, scale(face, rng.uniform(0.85, 1.05))


def _hang_plate(
    canvas: Canvas, street: Street, centre_xyz: tuple[float, float, float], form: tuple[float, int], colour: Colour
) -> None:
    (x, y, z), (radius, corners) = centre_xyz, form
    start = np.pi / 2 if corners == 3 else np.pi / corners
    canvas.fill(
        [street.camera.project(_draw_disc(x, y, z, radius, corners=corners, start=start))], Ink(colour, Label.SIGN, z)
    )


def _draw_disc(x_m: float, y_m: float, z_m: float, radius_m: float, *, corners: int = 14, start: float = 0.0) -> Floats:
    turn = start + np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.column_stack([x_m + radius_m * np.cos(turn), y_m + radius_m * np.sin(turn), np.full(corners, z_m)])
