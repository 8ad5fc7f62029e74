"""Trees and bushes."""

import numpy as np
from numpy.random import Generator

from .camera import Floats
from .canvas import Canvas, Ink
from .palette import Label, mix_paint, paint_leaf, scale
from .street import Street


def plant_tree(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A broad tree or a fir; trunk and crown are both vegetation."""
    height = rng.uniform(3.8, 7.5)
    trunk = mix_paint(rng, hue=(0.04, 0.1), saturation=(0.35, 0.6), value=(0.25, 0.45))
    thick = rng.uniform(0.16, 0.26)
    post = street.camera.project(
        [
            (x_m - thick, 0, z_m),
            (x_m + thick, 0, z_m),
            (x_m + thick / 2, height * 0.6, z_m),
            (x_m - thick / 2, height * 0.6, z_m),
        ]
    )
    canvas.fill([post], Ink(trunk, Label.VEGETATION, z_m, 0.4))
    if rng.random() < 0.25:
        _stack_fir(canvas, street, (x_m, height, z_m), rng)
    else:
        crown = rng.uniform(0.24, 0.34) * height
        grow_crown(canvas, street, (x_m, height - crown, z_m), crown, rng)


def plant_bush(canvas: Canvas, street: Street, x_m: float, z_m: float, rng: Generator) -> None:
    """A low round bush."""
    radius = rng.uniform(0.5, 1.1)
    grow_crown(canvas, street, (x_m, radius * 0.7, z_m), radius, rng)


def grow_crown(
    canvas: Canvas, street: Street, centre_xyz: tuple[float, float, float], radius_m: float, rng: Generator
) -> None:
    """Tufts of leaves, dark inside and lighter towards the sun."""
    x, y, z = centre_xyz
    middle = street.camera.project((x, y, z))
    reach = street.camera.size_px(radius_m, z)
    leaf = paint_leaf(rng, street.season)
    towards = np.array([street.light.towards_sun[0], -street.light.towards_sun[1]])
    layers = ((0.75, 0.62, 0.0, 0.25), (1.0, 0.42, 0.12, 0.55), (1.22, 0.25, 0.3, 0.9))
    for brightness, size, lean, sun in layers:
        for _ in range(7):
            angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.95 - size * 0.7)
            at = middle + reach * (away * np.array([np.cos(angle), np.sin(angle) * 0.8]) + lean * towards)
            colour = scale(leaf, brightness * rng.uniform(0.92, 1.08))
            canvas.fill([_cut_tuft(at, reach * size, rng)], Ink(colour, Label.VEGETATION, z, sun))


def _cut_tuft(centre: Floats, radius_px: float, rng: Generator) -> Floats:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radius = radius_px * rng.uniform(0.82, 1.12, 16)
    return centre + np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])


def _stack_fir(canvas: Canvas, street: Street, top_xyz: tuple[float, float, float], rng: Generator) -> None:
    x, top, z = top_xyz
    leaf = scale(paint_leaf(rng, "summer"), 0.8)
    for step in range(4):
        low, high = top * (0.18 + 0.18 * step), top * (0.5 + 0.17 * step)
        wide = (1.5 - 0.33 * step) * rng.uniform(0.9, 1.1)
        tier = street.camera.project([(x - wide, low, z), (x + wide, low, z), (x, high, z)])
        canvas.fill([tier], Ink(scale(leaf, 0.85 + 0.13 * step), Label.VEGETATION, z, 0.35 + 0.15 * step))
