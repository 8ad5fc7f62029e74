"""One scene: what stands where, drawn from far to near."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import Canvas, Ink, open_canvas, settle_labels, SAMPLES
from .cars import Stand, park_car
from .clutter import put_bench, put_billboard, put_bin, put_cone
from .ground import lay_ground, paint_sky
from .houses import Front, build_house
from .lens import expose
from .palette import Label, paint_body, scale
from .people import draw_person
from .plants import plant_bush, plant_tree
from .posts import raise_lamp, raise_mast, raise_sign, raise_traffic_light
from .shadows import Box, cast_shadows, stand_box
from .street import SIDE_ROAD_M, Street, plan_street
from .weather import choose_weather, develop

Draw = Callable[[Canvas, Generator], None]


@dataclass(frozen=True)
class Scene:
    """A photo and the truth about it.

    Attributes:
        image_HWC: red green blue, 0 to 255.
        mask_HW: ids of `palette.Label`.
    """

    image_HWC: NDArray[np.uint8]
    mask_HW: NDArray[np.uint8]


@dataclass(frozen=True)
class Thing:
    """Something that stands in the street, with its farthest depth and the box that throws its shadow."""

    depth_m: float
    draw: Draw
    box: Box


def draw_scene(rng: Generator, *, width_px: int, height_px: int) -> Scene:
    """A scene of this size; the same generator state gives the same scene."""
    street = plan_street(rng, width_px=width_px, height_px=height_px)
    canvas = open_canvas(height_px * SAMPLES, width_px * SAMPLES)
    paint_sky(canvas, street, rng)
    lay_ground(canvas, street, rng)
    things = [
        *_row_houses(street, rng),
        *_line_sidewalks(street, rng),
        *_drive_cars(street, rng),
        *_cross_road(street, rng),
    ]
    cast_shadows(canvas, street, [thing.box for thing in things])
    for thing in sorted(things, key=lambda thing: -thing.depth_m):
        thing.draw(canvas, rng)
    if rng.random() < 0.25:
        _show_bonnet(canvas, street, rng)
    mask_HW = settle_labels(canvas.paint_HWC[..., 3])
    return Scene(expose(develop(canvas, street, choose_weather(street, rng), rng), rng), mask_HW)


def _row_houses(street: Street, rng: Generator) -> list[Thing]:
    things: list[Thing] = []
    for side, wall_m in ((-1, street.walk_left_m), (1, street.walk_right_m)):
        is_park = rng.random() < 0.18
        z = rng.uniform(0.8, 2.5)
        while z < street.end_m:
            length = rng.uniform(5, 11)
            if street.is_open(z) or street.is_open(z + length) or street.is_open(z + length / 2):
                z = (street.side_road_m or 0) + SIDE_ROAD_M + 1 if z + length > (street.side_road_m or 0) else z + 1
                continue
            if is_park or rng.random() < 0.15:
                things += _plant_garden(street, side * (abs(wall_m) + 1.5), (z, z + length), rng)
            else:
                things.append(_plan_house(street, wall_m, (z, z + length), rng))
            z += length + (rng.uniform(0.5, 2.5) if rng.random() < 0.3 else 0)
    return things + (_close_street(street, rng) if rng.random() < 0.6 else [])


def _plan_house(street: Street, wall_m: float, z_m: tuple[float, float], rng: Generator) -> Thing:
    side, height = float(np.sign(wall_m)), rng.uniform(4.5, 12.5)
    front = Front(
        street, (wall_m, 0.0, z_m[0]), (0.0, 1.0), z_m[1] - z_m[0], height, street.light.fall((-side, 0.0, 0.0))
    )
    flank = Front(street, (wall_m, 0.0, z_m[0]), (side, 0.0), 7.0, height, street.light.fall((0.0, 0.0, -1.0)))

    def draw(canvas: Canvas, rng: Generator) -> None:
        build_house(canvas, flank, rng)
        build_house(canvas, front, rng)

    x_m = (wall_m, wall_m + side * 7)
    return Thing(z_m[1], draw, Box((min(x_m), max(x_m)), (0.0, height), z_m))


def _close_street(street: Street, rng: Generator) -> list[Thing]:
    """Houses across the end of the street."""
    things: list[Thing] = []
    x = -45.0
    while x < 45:
        length, height = rng.uniform(7, 12), rng.uniform(6, 15)
        front = Front(
            street, (x, 0.0, street.end_m + 8), (1.0, 0.0), length, height, street.light.fall((0.0, 0.0, -1.0))
        )
        box = Box((x, x + length), (0.0, height), (street.end_m + 8, street.end_m + 16))
        things.append(Thing(street.end_m + 8, partial(_build_front, front), box))
        x += length
    return things


def _build_front(front: Front, canvas: Canvas, rng: Generator) -> None:
    build_house(canvas, front, rng)


def _plant_garden(street: Street, x_m: float, z_m: tuple[float, float], rng: Generator) -> list[Thing]:
    things: list[Thing] = []
    for z in np.arange(max(z_m[0], 5.0), z_m[1], 2.8):
        x = x_m + np.sign(x_m) * rng.uniform(0, 4)
        if rng.random() < 0.55:
            things.append(_stand(street, plant_tree, x, z, stand_box(x, z, half_m=1.2, low_m=2.5, high_m=5)))
        else:
            things.append(_stand(street, plant_bush, x, z, stand_box(x, z, half_m=0.6, high_m=1)))
    return things


Place = Callable[[Canvas, Street, float, float, Generator], None]

# Sidewalk things: how often, how far from the kerb as a share of the sidewalk's width, half width, height.
_SIDEWALK: tuple[tuple[Place, float, tuple[float, float], float, float], ...] = (
    (draw_person, 0.34, (0.3, 0.85), 0.22, 1.7),
    (raise_lamp, 0.1, (0.12, 0.2), 0.1, 5.0),
    (raise_mast, 0.06, (0.12, 0.3), 0.1, 6.0),
    (raise_sign, 0.15, (0.15, 0.3), 0.12, 2.8),
    (raise_traffic_light, 0.05, (0.12, 0.2), 0.15, 3.2),
    (plant_tree, 0.13, (0.2, 0.4), 1.1, 5.0),
    (plant_bush, 0.04, (0.7, 1.0), 0.6, 1.0),
    (put_bin, 0.06, (0.6, 0.9), 0.3, 1.0),
    (put_bench, 0.03, (0.6, 0.8), 0.5, 0.8),
    (put_billboard, 0.04, (0.5, 0.8), 0.5, 2.5),
)


def _line_sidewalks(street: Street, rng: Generator) -> list[Thing]:
    things: list[Thing] = []
    odds = np.array([row[1] for row in _SIDEWALK])
    for kerb_m, wall_m in ((street.left_m, street.walk_left_m), (street.right_m, street.walk_right_m)):
        z = rng.uniform(4.5, 7)
        while z < 15:
            place, _, share, half, high = _SIDEWALK[int(rng.choice(len(_SIDEWALK), p=odds / odds.sum()))]
            if not street.is_open(z) and not (place is draw_person and z > 11.5):
                x = kerb_m + (wall_m - kerb_m) * rng.uniform(*share)
                things.append(_stand(street, place, x, z, stand_box(x, z, half_m=half, high_m=high)))
            z += rng.uniform(1.2, 2.6) + z * 0.07
    return things


def _cross_road(street: Street, rng: Generator) -> list[Thing]:
    """People and cones on the road."""
    things: list[Thing] = []
    for _ in range(rng.integers(0, 3)):
        x, z = rng.uniform(street.left_m, street.right_m), rng.uniform(6, 11)
        place = draw_person if rng.random() < 0.75 else put_cone
        things.append(_stand(street, place, x, z, stand_box(x, z, half_m=0.2, high_m=1.5)))
    return things


def _stand(street: Street, place: Place, x_m: float, z_m: float, box: Box) -> Thing:
    def draw(canvas: Canvas, rng: Generator) -> None:
        place(canvas, street, x_m, z_m, rng)

    return Thing(z_m, draw, box)


def _drive_cars(street: Street, rng: Generator) -> list[Thing]:
    stands: list[Stand] = []
    lanes = [(street.left_m + 1.05, np.pi, 0.55)]
    lanes += [(street.right_m - 1.0, 0.0, 0.55)] if street.right_m > 2.9 else [(0.3, 0.0, 0.2)]
    lanes += [(street.left_m / 2 + 0.4, np.pi, 0.25)] if street.left_m < -4.6 else []
    for x, turn, share in lanes:
        z = rng.uniform(6.5, 11)
        while z < 24:
            if (
                rng.random() < share
                and not street.is_open(z)
                and not street.is_open(z + 2)
                and not street.is_open(z - 2)
            ):
                stands.append(Stand(x + rng.uniform(-0.15, 0.15), z, turn + rng.normal(0, 0.03)))
            z += rng.uniform(5.4, 8.5)
    if street.side_road_m is not None and rng.random() < 0.6:
        x, turn = rng.uniform(-9, 9), float(rng.choice((-1, 1))) * np.pi / 2
        stands.append(Stand(x, street.side_road_m + SIDE_ROAD_M / 2 - np.sign(turn) * 1.5, turn))
    return [_park(street, stand) for stand in stands]


def _park(street: Street, stand: Stand) -> Thing:
    def draw(canvas: Canvas, rng: Generator) -> None:
        park_car(canvas, street, stand, rng)

    along, across = (2.1, 0.85) if abs(np.cos(stand.turn_rad)) > 0.5 else (0.85, 2.1)
    box = Box((stand.x_m - across, stand.x_m + across), (0.0, 1.3), (stand.z_m - along, stand.z_m + along))
    return Thing(stand.z_m, draw, box)


def _show_bonnet(canvas: Canvas, street: Street, rng: Generator) -> None:
    """The bonnet of the car that carries the camera: nothing that a mask should name."""
    height, width = canvas.paint_HWC.shape[:2]
    middle, rise = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.05, 0.12)
    turn = np.linspace(np.pi, 2 * np.pi, 24)
    arch = np.column_stack([middle + width * 0.62 * np.cos(turn), height + 2 + rise * np.sin(turn)])
    colour = paint_body(rng)
    canvas.fill([arch], Ink(scale(colour, 0.8), Label.VOID, 1.0, street.light.fall((0, 1, 0))))
    canvas.fill([(arch - (middle, height)) * (0.8, 0.75) + (middle, height)], Ink(colour, Label.VOID, 1.0, 0.8))
