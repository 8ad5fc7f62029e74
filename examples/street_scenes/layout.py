"""What stands where in a street."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .canvas import Canvas
from .cars import Stand, park_car
from .clutter import put_bench, put_billboard, put_bin, put_cone
from .houses import Front, build_house
from .people import draw_person
from .plants import plant_bush, plant_tree
from .posts import raise_lamp, raise_mast, raise_sign, raise_traffic_light
from .shadows import Box, stand_box
from .street import SIDE_ROAD_M, Street

Draw = Callable[[Canvas, Generator], None]
Place = Callable[[Canvas, Street, float, float, Generator], None]

# Sidewalk things: how often, how far from the kerb as a share of the sidewalk's width, half width, height.
_SIDEWALK: tuple[tuple[Place, float, tuple[float, float], float, float], ...] = (
    (draw_person, 0.4, (0.3, 0.85), 0.22, 1.7),
    (raise_lamp, 0.1, (0.12, 0.2), 0.1, 5.0),
    (raise_mast, 0.06, (0.12, 0.3), 0.1, 6.0),
    (raise_sign, 0.2, (0.15, 0.3), 0.12, 2.8),
    (raise_traffic_light, 0.08, (0.12, 0.2), 0.15, 3.2),
    (plant_tree, 0.16, (0.2, 0.4), 1.1, 5.0),
    (plant_bush, 0.04, (0.7, 1.0), 0.6, 1.0),
    (put_bin, 0.06, (0.6, 0.9), 0.3, 1.0),
    (put_bench, 0.03, (0.6, 0.8), 0.5, 0.8),
    (put_billboard, 0.02, (0.5, 0.8), 0.5, 2.5),
)


@dataclass(frozen=True)
class Thing:
    """Something that stands in the street, with its farthest depth and the box that throws its shadow."""

    depth_m: float
    draw: Draw
    box: Box


def lay_out(street: Street, rng: Generator) -> list[Thing]:
    """Houses, people, posts, plants, cars and clutter of one street, in no order."""
    return [
        *_row_houses(street, rng),
        *_line_sidewalks(street, rng),
        *_drive_cars(street, rng),
        *_cross_road(street, rng),
    ]


def _row_houses(street: Street, rng: Generator) -> list[Thing]:
    """Houses and gardens along both sides, with a gap for the side road, and often houses across the far end."""
    things: list[Thing] = []
    for side, wall_m in ((-1, street.walk_left_m), (1, street.walk_right_m)):
        is_park = rng.random() < 0.24
        z = rng.uniform(0.8, 2.5)
        while z < street.end_m:
            length = rng.uniform(5, 11)
            if street.is_open(z, length):
                z = _pass_side_road(street, z, length)
            elif is_park or rng.random() < 0.2:
                things += _plant_garden(street, side * (abs(wall_m) + 1.5), (z, z + length), rng)
                z += length + _leave_gap(rng)
            else:
                things.append(_plan_house(street, wall_m, (z, z + length), rng))
                z += length + _leave_gap(rng)
    return things + (_close_street(street, rng) if rng.random() < 0.8 else [])


def _pass_side_road(street: Street, z_m: float, length_m: float) -> float:
    """Where the next house may begin."""
    corner = street.side_road_m or 0.0
    return corner + SIDE_ROAD_M + 1 if z_m + length_m > corner else z_m + 1


def _leave_gap(rng: Generator) -> float:
    return rng.uniform(0.5, 2.5) if rng.random() < 0.3 else 0.0


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
        things.append(_stand_front(front, box))
        x += length
    return things


def _stand_front(front: Front, box: Box) -> Thing:
    def draw(canvas: Canvas, rng: Generator) -> None:
        build_house(canvas, front, rng)

    return Thing(front.corner_xyz[2], draw, box)


def _plant_garden(street: Street, x_m: float, z_m: tuple[float, float], rng: Generator) -> list[Thing]:
    things: list[Thing] = []
    for z in np.arange(max(z_m[0], 5.0), z_m[1], 2.8):
        x = x_m + np.sign(x_m) * rng.uniform(0, 4)
        if rng.random() < 0.55:
            things.append(_stand(street, plant_tree, x, z, stand_box(x, z, half_m=1.2, low_m=2.5, high_m=5)))
        else:
            things.append(_stand(street, plant_bush, x, z, stand_box(x, z, half_m=0.6, high_m=1)))
    return things


def _line_sidewalks(street: Street, rng: Generator) -> list[Thing]:
    things: list[Thing] = []
    odds = np.array([row[1] for row in _SIDEWALK])
    for kerb_m, wall_m in ((street.left_m, street.walk_left_m), (street.right_m, street.walk_right_m)):
        # Nearer things would stand beside the picture.
        z = max(5.5, 2.1 * abs(kerb_m)) + rng.uniform(0, 1.5)
        while z < 14.5:
            place, _, share, half, high = _SIDEWALK[int(rng.choice(len(_SIDEWALK), p=odds / odds.sum()))]
            if not street.is_open(z, 0) and not (place is draw_person and z > 11.5):
                x = kerb_m + (wall_m - kerb_m) * rng.uniform(*share)
                things.append(_stand(street, place, x, z, stand_box(x, z, half_m=half, high_m=high)))
            z += rng.uniform(1.0, 1.9) + z * 0.06
    return things


def _cross_road(street: Street, rng: Generator) -> list[Thing]:
    """People and cones on the road."""
    things: list[Thing] = []
    for _ in range(rng.integers(1, 4)):
        x, z = rng.uniform(street.left_m, street.right_m), rng.uniform(6, 11)
        place = draw_person if rng.random() < 0.75 else put_cone
        things.append(_stand(street, place, x, z, stand_box(x, z, half_m=0.2, high_m=1.5)))
    return things


def _stand(street: Street, place: Place, x_m: float, z_m: float, box: Box) -> Thing:
    def draw(canvas: Canvas, rng: Generator) -> None:
        place(canvas, street, x_m, z_m, rng)

    return Thing(z_m, draw, box)


def _drive_cars(street: Street, rng: Generator) -> list[Thing]:
    """Cars parked and driving along the street, and perhaps one on the side road."""
    stands: list[Stand] = []
    for x, turn, share in _choose_lanes(street):
        z = rng.uniform(6.5, 11)
        while z < 22:
            if rng.random() < share and not street.is_open(z - 2, 4):
                stands.append(Stand(x + rng.uniform(-0.15, 0.15), z, turn + rng.normal(0, 0.03)))
            z += rng.uniform(5.4, 8.5)
    if street.side_road_m is not None and rng.random() < 0.6:
        x, turn = rng.uniform(-9, 9), float(rng.choice((-1, 1))) * np.pi / 2
        stands.append(Stand(x, street.side_road_m + SIDE_ROAD_M / 2 - np.sign(turn) * 1.5, turn))
    return [_park(street, stand) for stand in stands]


def _choose_lanes(street: Street) -> list[tuple[float, float, float]]:
    """Lanes that fit the road: x, heading, and how often a place in them is taken."""
    lanes = [(street.left_m + 1.05, np.pi, 0.55)]
    lanes += [(street.right_m - 1.0, 0.0, 0.55)] if street.right_m > 2.9 else [(0.3, 0.0, 0.2)]
    lanes += [(street.left_m / 2 + 0.4, np.pi, 0.25)] if street.left_m < -4.3 else []
    return lanes


def _park(street: Street, stand: Stand) -> Thing:
    def draw(canvas: Canvas, rng: Generator) -> None:
        park_car(canvas, street, stand, rng)

    along, across = (2.1, 0.85) if abs(np.cos(stand.turn_rad)) > 0.5 else (0.85, 2.1)
    box = Box((stand.x_m - across, stand.x_m + across), (0.0, 1.3), (stand.z_m - along, stand.z_m + along))
    return Thing(stand.z_m, draw, box)
