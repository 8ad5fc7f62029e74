"""Cars and vans: side outlines drawn out to their width."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .camera import Floats
from .canvas import Canvas, Ink
from .palette import BLACK, GLASS, Colour, Label, paint_body, pick, scale
from .street import Street

# Outlines from rear bumper over the roof to the front bumper, (run, height) in metres; run 0 is the rear.
# The segments named are glass.
_OUTLINES: dict[str, tuple[list[tuple[float, float]], tuple[int, ...]]] = {
    "saloon": (
        [(0, 0.35), (0, 0.95), (0.75, 1.0), (1.25, 1.42), (2.6, 1.45), (3.3, 1.0), (4.3, 0.85), (4.4, 0.35)],
        (2, 4),
    ),
    "hatchback": ([(0, 0.35), (0.05, 0.95), (0.4, 1.5), (2.3, 1.52), (2.95, 1.0), (3.7, 0.85), (3.8, 0.35)], (1, 3)),
    "off-roader": ([(0, 0.45), (0, 1.1), (0.2, 1.75), (2.7, 1.78), (3.3, 1.15), (4.3, 1.05), (4.4, 0.45)], (1, 3)),
    "van": ([(0, 0.4), (0, 1.3), (0.05, 2.05), (3.6, 2.1), (4.3, 1.3), (4.8, 1.0), (4.9, 0.4)], (1, 3)),
}
_HALF_WIDTH_M = 0.9


@dataclass(frozen=True)
class Stand:
    """Where a car's middle stands and which way it heads: 0 is away from the camera, turning to the right."""

    x_m: float
    z_m: float
    turn_rad: float

    def place(self, points_N3: Floats) -> Floats:
        """World points of (run, height, side), side to the right of the heading; run is measured from the middle."""
        run, up, side = points_N3.T
        forward_x, forward_z = np.sin(self.turn_rad), np.cos(self.turn_rad)
        return np.column_stack(
            [self.x_m + run * forward_x + side * forward_z, up, self.z_m + run * forward_z - side * forward_x]
        )


def park_car(canvas: Canvas, street: Street, stand: Stand, rng: Generator) -> None:
    """One car; the faces turned away from the camera are left out."""
    outline, glass = _OUTLINES[str(rng.choice(list(_OUTLINES)))]
    profile = np.array(outline) - (outline[-1][0] / 2, 0)
    body, pane = paint_body(rng), pick(rng, (GLASS, (58, 66, 76), (120, 136, 146)))
    _roll_wheels(canvas, street, stand, profile)
    for index in _sort_faces(street, stand, profile):
        is_glass = index in glass
        colour = pane if is_glass else scale(body, 0.8 if index in (0, len(profile) - 2) else 1.0)
        sun = 0.3 if is_glass else _catch_sun(street, index, len(profile))
        _fill_face(canvas, street, stand, _span(profile, index), colour, sun=sun)
    _close_sides(canvas, street, stand, profile, body)
    _light_lamps(canvas, street, stand, profile, rng)


def _span(profile: Floats, index: int) -> Floats:
    (run_a, up_a), (run_b, up_b) = profile[index], profile[index + 1]
    wide = _HALF_WIDTH_M
    return np.array([(run_a, up_a, -wide), (run_a, up_a, wide), (run_b, up_b, wide), (run_b, up_b, -wide)])


def _sort_faces(street: Street, stand: Stand, profile: Floats) -> list[int]:
    """Faces of the outline that look at the camera, far to near."""
    eye = np.array([0, street.camera.height_m, 0])
    seen: list[tuple[float, int]] = []
    for index in range(len(profile) - 1):
        corners = stand.place(_span(profile, index))
        inward = np.cross(corners[1] - corners[0], corners[3] - corners[0])
        centre = corners.mean(axis=0)
        if np.dot(inward, centre - eye) > 0:
            seen.append((float(centre[2]), index))
    return [index for _, index in sorted(seen, reverse=True)]


def _catch_sun(street: Street, index: int, count: int) -> float:
    return 0.45 if index in (0, count - 2) else max(0.4, street.light.fall((0, 1, 0)))


def _fill_face(
    canvas: Canvas, street: Street, stand: Stand, points_N3: Floats, colour: Colour, *, sun: float, glow: float = 0.0
) -> None:
    polygon = street.camera.project(stand.place(points_N3))
    canvas.fill([polygon], Ink(colour, Label.CAR, stand.z_m, sun, glow))


def _close_sides(canvas: Canvas, street: Street, stand: Stand, profile: Floats, body: Colour) -> None:
    """The side that the camera sees, with its windows and wheels."""
    for side in (-_HALF_WIDTH_M, _HALF_WIDTH_M):
        flank = stand.place(np.array([(0.0, 0.5, side), (0.0, 0.5, 2 * side)]))
        if np.dot(flank[1] - flank[0], flank[0] - (0, 0.5, 0)) >= 0:
            continue
        wall = np.column_stack([profile, np.full(len(profile), side)])
        _fill_face(canvas, street, stand, wall, scale(body, 0.9), sun=0.5)
        window = wall[1:-1] * (0.86, 0.93, 1.0)
        belt = float(profile[:, 1].max()) * 0.62
        window[:, 1] = np.maximum(window[:, 1], belt)
        _fill_face(canvas, street, stand, window, (62, 72, 84), sun=0.3)
        for run in _find_axles(profile):
            _fill_face(canvas, street, stand, _draw_wheel(run, side, 0.34), BLACK, sun=0.3)
            _fill_face(canvas, street, stand, _draw_wheel(run, side, 0.17), (150, 150, 154), sun=0.4)


def _find_axles(profile: Floats) -> tuple[float, float]:
    return float(profile[0, 0]) * 0.62, float(profile[-1, 0]) * 0.62


def _roll_wheels(canvas: Canvas, street: Street, stand: Stand, profile: Floats) -> None:
    for run in _find_axles(profile):
        for left in (-_HALF_WIDTH_M, _HALF_WIDTH_M - 0.25):
            tread = np.array([(run, 0, left), (run, 0, left + 0.25), (run, 0.6, left + 0.25), (run, 0.6, left)])
            _fill_face(canvas, street, stand, tread, BLACK, sun=0.1)
    length = float(profile[-1, 0])
    belly = np.array([(-length, 0.36, -0.8), (-length, 0.36, 0.8), (-length, 0.2, 0.7), (-length, 0.2, -0.7)])
    _fill_face(canvas, street, stand, belly, BLACK, sun=0.0)


def _draw_wheel(run_m: float, side_m: float, radius_m: float) -> Floats:
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    return np.column_stack([run_m + radius_m * np.cos(turn), 0.34 + radius_m * np.sin(turn), np.full(14, side_m)])


def _light_lamps(canvas: Canvas, street: Street, stand: Stand, profile: Floats, rng: Generator) -> None:
    """Rear lamps and number plate, or headlights, whichever end is seen."""
    is_rear = np.cos(stand.turn_rad) > 0
    if abs(np.cos(stand.turn_rad)) < 0.5:
        return
    run = float(profile[0, 0] if is_rear else profile[-1, 0])
    colour: Colour = (214, 40, 36) if is_rear else (252, 246, 214)
    glow = 0.9 if street.light.lit_share > 0.2 else 0.15 if rng.random() < 0.3 else 0.0
    for left in (-0.84, 0.54):
        lamp = np.array([(run, 0.6, left), (run, 0.6, left + 0.3), (run, 0.82, left + 0.3), (run, 0.82, left)])
        _fill_face(canvas, street, stand, lamp, colour, sun=0.6, glow=glow)
    plate = np.array([(run, 0.45, -0.25), (run, 0.45, 0.25), (run, 0.57, 0.25), (run, 0.57, -0.25)])
    _fill_face(canvas, street, stand, plate, (226, 226, 214), sun=0.5)
