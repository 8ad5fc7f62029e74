"""People who walk, stand and carry things."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .camera import Floats
from .canvas import Canvas, Ink
from .palette import SKIN, Colour, Label, mix_paint, paint_cloth, pick, scale
from .street import Street

# A little broader than life, as drawn people are.
_STOUT = 1.4


@dataclass(frozen=True)
class Body:
    """A person's place: feet on the ground, height, and the side they face (-1 or 1)."""

    street: Street
    x_m: float
    z_m: float
    height_m: float
    facing: int

    def paint(self, canvas: Canvas, shape_N2: Floats, colour: Colour, sun: float = 0.6) -> None:
        """A shape given in body heights: sideways from the middle, upwards from the feet."""
        side, up = shape_N2.T * (self.height_m * np.array([[_STOUT], [1.0]]))
        points = np.column_stack([self.x_m + side * self.facing, up, np.full(len(side), self.z_m)])
        canvas.fill([self.street.camera.project(points)], Ink(colour, Label.PERSON, self.z_m, sun))


def draw_person(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """One person in a random pose and dress."""
    body = Body(street, x_m, z_m, rng.uniform(1.6, 2.0), int(rng.choice((-1, 1))))
    skin, top, bottom = pick(rng, SKIN), paint_cloth(rng), scale(paint_cloth(rng), 0.85)
    stride = rng.uniform(0.0, 0.12)
    _draw_legs(canvas, body, stride, bottom)
    if rng.random() < 0.35:
        skirt = np.array([(-0.08, 0.58), (0.08, 0.58), (0.14, 0.26), (-0.14, 0.26)])
        body.paint(canvas, skirt, bottom if rng.random() < 0.5 else top)
    _draw_arm(canvas, body, -stride, scale(top, 0.8))
    torso = np.array([(-0.09, 0.47), (0.09, 0.47), (0.125, 0.8), (0.06, 0.84), (-0.06, 0.84), (-0.125, 0.8)])
    body.paint(canvas, torso, top)
    _draw_arm(canvas, body, stride, scale(top, 0.92))
    if rng.random() < 0.4:
        _carry_bag(canvas, body, rng)
    _draw_head(canvas, body, skin, rng)


def _draw_legs(canvas: Canvas, body: Body, stride: float, cloth: Colour) -> None:
    for foot, shade in ((-stride - 0.035, 0.8), (stride + 0.035, 1.0)):
        leg = np.array(
            [(foot * 0.3 - 0.055, 0.5), (foot * 0.3 + 0.055, 0.5), (foot + 0.045, 0.03), (foot - 0.045, 0.03)]
        )
        body.paint(canvas, leg, scale(cloth, shade))
        shoe = np.array([(foot - 0.05, 0.0), (foot + 0.075, 0.0), (foot + 0.05, 0.05), (foot - 0.05, 0.05)])
        body.paint(canvas, shoe, (40, 36, 36), 0.3)


def _draw_arm(canvas: Canvas, body: Body, swing: float, cloth: Colour) -> None:
    shoulder = 0.105 if swing > 0 else -0.105
    hand = shoulder * 1.2 + swing * 0.8
    arm = np.array([(shoulder - 0.035, 0.8), (shoulder + 0.035, 0.8), (hand + 0.03, 0.46), (hand - 0.03, 0.46)])
    body.paint(canvas, arm, cloth)


def _carry_bag(canvas: Canvas, body: Body, rng: Generator) -> None:
    if rng.random() < 0.5:
        bag = np.array([(-0.2, 0.52), (-0.08, 0.52), (-0.08, 0.78), (-0.18, 0.78)])
    else:
        bag = np.array([(0.1, 0.3), (0.22, 0.3), (0.2, 0.46), (0.12, 0.46)])
    body.paint(canvas, bag, paint_cloth(rng))


def _draw_head(canvas: Canvas, body: Body, skin: Colour, rng: Generator) -> None:
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    oval = np.column_stack([0.062 * np.cos(turn), 0.925 + 0.075 * np.sin(turn)])
    body.paint(canvas, np.array([(-0.03, 0.8), (0.03, 0.8), (0.03, 0.88), (-0.03, 0.88)]), scale(skin, 0.85))
    body.paint(canvas, oval, skin)
    hair = oval[oval[:, 1] > rng.uniform(0.9, 0.945)] + (-0.008, 0.012)
    hair_colour = mix_paint(rng, hue=(0.02, 0.12), saturation=(0.1, 0.6), value=(0.1, 0.7))
    body.paint(canvas, hair, hair_colour if rng.random() < 0.75 else paint_cloth(rng))
