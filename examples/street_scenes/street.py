"""The plan of a street: how wide, how it bends, where it is crossed, and how it lies before the camera."""

from dataclasses import dataclass

from numpy.random import Generator

from .camera import Camera
from .canvas import SAMPLES
from .light import Light, choose_light

SEASONS = ("spring", "summer", "summer", "summer", "autumn", "winter")
SIDE_ROAD_M = 6.5


@dataclass(frozen=True)
class Street:
    """A straight plan; the camera bends it.

    Attributes:
        left_m, right_m: x of the road's edges.
        walk_left_m, walk_right_m: x of the sidewalks' outer edges, where the houses begin.
        side_road_m: z where a side road begins, or None.
        end_m: z where the houses end.
    """

    camera: Camera
    light: Light
    season: str
    left_m: float
    right_m: float
    walk_left_m: float
    walk_right_m: float
    side_road_m: float | None
    end_m: float

    def is_open(self, z_m: float, length_m: float) -> bool:
        """Whether the side road passes anywhere in this stretch, half a metre around it included."""
        if self.side_road_m is None:
            return False
        return z_m < self.side_road_m + SIDE_ROAD_M + 0.5 and z_m + length_m > self.side_road_m - 0.5


def plan_street(rng: Generator, *, width_px: int, height_px: int) -> Street:
    """A street for a picture of this size."""
    left, right = -rng.uniform(2.4, 4.6), rng.uniform(2.2, 3.6)
    return Street(
        camera=_place_camera(rng, width_px * SAMPLES, height_px * SAMPLES),
        light=choose_light(rng),
        season=str(rng.choice(SEASONS)),
        left_m=left,
        right_m=right,
        walk_left_m=left - rng.uniform(2.4, 3.6),
        walk_right_m=right + rng.uniform(2.4, 3.6),
        side_road_m=rng.uniform(10, 20) if rng.random() < 0.3 else None,
        end_m=rng.uniform(26, 42),
    )


def _place_camera(rng: Generator, width_px: int, height_px: int) -> Camera:
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=width_px * rng.uniform(0.95, 1.15),
        centre_px=width_px * rng.uniform(0.32, 0.68),
        horizon_px=height_px * rng.uniform(0.34, 0.46),
        height_m=rng.uniform(2.0, 2.8),
        bend_per_m=rng.normal(0, 0.001),
    )
