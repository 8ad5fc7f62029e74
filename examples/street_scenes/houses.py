"""House fronts: walls with windows, shops, posters and roofs."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .camera import Floats
from .canvas import Canvas, Ink
from .palette import (
    GLASS,
    LAMPLIGHT,
    VIVID,
    WHITE,
    Colour,
    Label,
    mix_paint,
    paint_cloth,
    paint_wall,
    pick,
    scale,
)
from .street import Street


@dataclass(frozen=True)
class Front:
    """A wall: its near lower corner, which way it runs along the ground, and how it faces the sun."""

    street: Street
    corner_xyz: tuple[float, float, float]
    along_xz: tuple[float, float]
    length_m: float
    height_m: float
    sun: float

    def place(self, box_NK: Floats) -> list[Floats]:
        """Pixels of boxes [N, 4] given on the wall as left, bottom, right, top in metres."""
        left, bottom, right, top = np.atleast_2d(box_NK).T
        run_N4, up_N4 = np.stack([left, right, right, left], 1), np.stack([bottom, bottom, top, top], 1)
        x, y, z = self.corner_xyz
        points = np.stack([x + run_N4 * self.along_xz[0], y + up_N4, z + run_N4 * self.along_xz[1]], axis=-1)
        return list(self.street.camera.project(points))

    def ink(self, colour: Colour, run_m: float, glow: float = 0.0) -> Ink:
        """Ink for a thing on the wall, run_m from its corner."""
        depth = self.corner_xyz[2] + run_m * self.along_xz[1]
        return Ink(colour, Label.BUILDING, max(depth, 1.0), self.sun, glow)

    def draw(self, canvas: Canvas, boxes: Floats, colour: Colour, glow: float = 0.0) -> None:
        """Boxes of one colour on the wall; they must not overlap."""
        if len(boxes):
            canvas.fill(self.place(boxes), self.ink(colour, float(np.mean(boxes[:, 0])), glow))


def build_house(canvas: Canvas, front: Front, rng: Generator) -> None:
    """One house: wall, roof edge, windows, and a shop or a door."""
    wall = paint_wall(rng)
    slices = np.arange(0, front.length_m, 2.0)
    for start in slices[::-1]:
        piece = np.array([[start, 0, min(start + 2.0, front.length_m), front.height_m]])
        front.draw(canvas, piece, wall)
    _lay_courses(canvas, front, wall, rng)
    _crown(canvas, front, wall, rng)
    floor = rng.uniform(2.7, 3.4)
    _set_windows(canvas, front, floor, rng)
    if rng.random() < 0.45:
        _open_shop(canvas, front, floor, rng)
    else:
        _hang_door(canvas, front, rng)
    if rng.random() < 0.3:
        _paste_posters(canvas, front, rng)


def _lay_courses(canvas: Canvas, front: Front, wall: Colour, rng: Generator) -> None:
    """Bands of brick or plaster, and a plinth."""
    if rng.random() < 0.5:
        rise = np.arange(0.6, front.height_m, rng.uniform(0.5, 1.1))
        bands = np.column_stack([0 * rise, rise, 0 * rise + front.length_m, rise + 0.06])
        front.draw(canvas, bands, scale(wall, rng.uniform(0.82, 1.1)))
    if rng.random() < 0.6:
        front.draw(canvas, np.array([[0, 0, front.length_m, 0.6]]), scale(wall, 0.7))


def _crown(canvas: Canvas, front: Front, wall: Colour, rng: Generator) -> None:
    top, length = front.height_m, front.length_m
    edge = pick(rng, (scale(wall, 0.7), scale(wall, 1.25), (120, 60, 50), (70, 74, 84)))
    front.draw(canvas, np.array([[-0.1, top - 0.35, length + 0.1, top]]), edge)
    shape = rng.random()
    if shape < 0.35:
        roof = front.place(np.array([[0, top, length, top + rng.uniform(1.0, 2.2)]]))[0]
        roof[2:] += (roof[:2][::-1] - roof[2:]) * 0.08 + (roof[2:][::-1] - roof[2:]) * 0.12
        canvas.fill([roof], front.ink(scale(edge, 0.9), length / 2))
    elif shape < 0.6:
        gable = front.place(np.array([[0, top, length, top + length * rng.uniform(0.25, 0.4)]]))[0]
        canvas.fill([np.stack([gable[0], gable[1], (gable[2] + gable[3]) / 2])], front.ink(wall, length / 2))
    if rng.random() < 0.4:
        left = rng.uniform(0.5, max(0.6, length - 1.5))
        front.draw(canvas, np.array([[left, top, left + 0.8, top + rng.uniform(1.0, 2.4)]]), (122, 74, 62))


def _set_windows(canvas: Canvas, front: Front, floor_m: float, rng: Generator) -> None:
    spacing, width, height = rng.uniform(1.7, 2.9), rng.uniform(0.8, 1.3), rng.uniform(1.1, 1.7)
    run, rise = np.meshgrid(
        np.arange(0.6, front.length_m - width - 0.2, spacing),
        np.arange(floor_m + 0.7, front.height_m - height - 0.4, floor_m),
    )
    left, bottom = run.ravel(), rise.ravel()
    panes = np.column_stack([left, bottom, left + width, bottom + height])
    frame = pick(rng, (WHITE, (70, 52, 44), (150, 150, 150)))
    front.draw(canvas, panes + np.array([-0.12, -0.16, 0.12, 0.1]), frame)
    is_lit = rng.random(len(panes)) < front.street.light.lit_share
    glass = pick(rng, (GLASS, (52, 60, 72), (150, 178, 196)))
    front.draw(canvas, panes[~is_lit], glass)
    front.draw(canvas, panes[is_lit], scale(LAMPLIGHT, rng.uniform(0.7, 1.0)), glow=0.9)
    bars = panes.copy()
    bars[:, 0], bars[:, 2] = left + width / 2 - 0.04, left + width / 2 + 0.04
    front.draw(canvas, bars, frame)


def _open_shop(canvas: Canvas, front: Front, floor_m: float, rng: Generator) -> None:
    length = front.length_m
    glow = 0.8 if rng.random() < front.street.light.lit_share * 1.3 else 0.0
    inside = LAMPLIGHT if glow else pick(rng, (GLASS, (70, 66, 60), (120, 130, 140)))
    front.draw(
        canvas,
        np.array([[0.5, 0.5, length * 0.68, floor_m - 0.7], [length * 0.74, 0, length - 0.4, 2.2]]),
        inside,
        glow,
    )
    goods = np.arange(0.7, length * 0.66 - 0.5, 0.9)
    heights = rng.uniform(0.4, 1.2, len(goods))
    front.draw(
        canvas, np.column_stack([goods, 0 * goods + 0.55, goods + 0.6, 0.55 + heights]), paint_cloth(rng), glow * 0.5
    )
    board, stripe = pick(rng, VIVID), pick(rng, (WHITE, *VIVID))
    front.draw(canvas, np.array([[0.3, floor_m - 0.5, length - 0.3, floor_m + 0.1]]), board, glow * 0.4)
    letters = np.arange(1.0, length - 1.2, 0.45)
    front.draw(
        canvas,
        np.column_stack([letters, 0 * letters + floor_m - 0.35, letters + 0.28, 0 * letters + floor_m - 0.05]),
        stripe,
    )


def _hang_door(canvas: Canvas, front: Front, rng: Generator) -> None:
    left = rng.uniform(0.5, max(0.6, front.length_m - 1.8))
    front.draw(canvas, np.array([[left - 0.1, 0, left + 1.2, 2.35]]), WHITE)
    front.draw(canvas, np.array([[left, 0, left + 1.1, 2.25]]), paint_cloth(rng))


def _paste_posters(canvas: Canvas, front: Front, rng: Generator) -> None:
    """Paper with discs and boxes in the colours of signs and cars."""
    left = rng.uniform(0.3, max(0.4, front.length_m - 2.0))
    for start in np.arange(left, min(left + 4, front.length_m - 1), 1.2):
        front.draw(canvas, np.array([[start, 0.9, start + 1.0, 2.3]]), pick(rng, (WHITE, *VIVID)))
        inner = np.array([[start + 0.15, rng.uniform(1.0, 1.4), start + 0.85, rng.uniform(1.6, 2.2)]])
        front.draw(canvas, inner, mix_paint(rng, hue=(0, 1), saturation=(0.2, 0.9), value=(0.2, 0.9)))
