"""Sky and ground: what a street is before anything stands on it."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import HAZE_LENGTH_M, SUBPIXEL_BITS, Canvas, Ink, round_corners
from .palette import WHITE, Colour, Label, mix_paint, paint_leaf, paint_paving, paint_stone, pick, scale
from .street import SIDE_ROAD_M, Street

Range = tuple[float, float]

FAR_M = 160.0
_SLICES_M = np.array([0.7, 1.5, 2.5, 4, 6, 9, 13, 18, 25, 35, 50, 75, 110, FAR_M])
_TILE_PX = 256


def lay_ground(canvas: Canvas, street: Street, rng: Generator) -> None:
    """Lawn, sidewalks, road, and everything flat that lies on them."""
    _lay_lawn(canvas, street, rng)
    road = paint_stone(rng)
    walk = paint_paving(rng, road)
    _lay_strip(canvas, street, street.walk_left_m, street.left_m, walk, label=Label.SIDEWALK)
    _lay_strip(canvas, street, street.right_m, street.walk_right_m, walk, label=Label.SIDEWALK)
    _lay_paving(canvas, street, scale(walk, rng.uniform(0.75, 1.2)))
    _lay_strip(canvas, street, street.left_m, street.right_m, road, label=Label.ROAD)
    if street.side_road_m is not None:
        _lay_slab(
            canvas, street, (-60, 60), (street.side_road_m, street.side_road_m + SIDE_ROAD_M), road, label=Label.ROAD
        )
    _lay_kerbs(canvas, street, scale(walk, rng.uniform(0.7, 1.35)))
    _mend_road(canvas, street, road, rng)
    _mark_road(canvas, street, rng)
    _roughen(canvas, street, rng)


def paint_sky(canvas: Canvas, street: Street, rng: Generator) -> None:
    """Sky with clouds, and hills along the horizon."""
    light, rows = street.light, int(street.camera.horizon_px) + 1
    rise_H1 = np.linspace(0, 1, rows, dtype=np.float32)[:, None] ** 1.5
    shape = (rows, canvas.paint_HWC.shape[1])
    cloud_HW = spread_noise(rng, shape, (3, 6)) + 0.5 * spread_noise(rng, shape, (9, 14))
    cover_HW = np.clip(cloud_HW + rng.uniform(-0.7, 0.3), 0, 0.7)
    shade = rng.uniform(0.85, 1.15)
    for channel, (top, low) in enumerate(zip(light.sky_top, light.sky_low, strict=True)):
        sky_H1 = (1 - rise_H1) * top + rise_H1 * low
        canvas.paint_HWC[:rows, :, channel] = np.clip(sky_H1 + (low * shade - sky_H1) * cover_HW, 0, 255)
    canvas.light_HWC[:rows] = (2, 0, 255)
    _raise_hills(canvas, street, rng)


def spread_noise(rng: Generator, shape: tuple[int, int], cells: tuple[int, int]) -> NDArray[np.float32]:
    """Smooth noise [H, W] with mean 0 and deviation near 0.5."""
    coarse = rng.normal(0, 0.6, cells).astype(np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _raise_hills(canvas: Canvas, street: Street, rng: Generator) -> None:
    width = street.camera.width_px
    for depth_m in (140.0, 90.0):
        columns = np.linspace(0, width, 40)
        waves = sum(np.sin(columns / width * rng.uniform(4, 18) + rng.uniform(0, 6)) / (k + 1) for k in range(3))
        rows = street.camera.horizon_px - width * (rng.uniform(0.02, 0.06) + 0.015 * np.asarray(waves))
        base = street.camera.horizon_px + 4
        outline = np.column_stack([np.r_[columns, width, 0], np.r_[rows, base, base]])
        colour = mix_paint(rng, hue=(0.5, 0.72), saturation=(0.1, 0.3), value=(0.45, 0.7))
        canvas.fill([outline], Ink(colour, Label.BACKGROUND, depth_m, 0.5))


def _lay_lawn(canvas: Canvas, street: Street, rng: Generator) -> None:
    below = int(street.camera.horizon_px) + 1
    _, z_H1 = street.camera.locate_ground(below)
    colour = scale(paint_leaf(rng, street.season), rng.uniform(0.8, 1.1))
    canvas.paint_HWC[below:] = (*(int(channel) for channel in colour), int(Label.VEGETATION))
    canvas.light_HWC[below:] = (0, int(255 * street.light.fall((0, 1, 0))), 0)
    canvas.light_HWC[below:, :, 0] = 255 * np.exp(-np.minimum(z_H1, FAR_M) / HAZE_LENGTH_M)


def _lay_slab(canvas: Canvas, street: Street, x_m: Range, z_m: Range, colour: Colour, *, label: Label) -> None:
    between = _SLICES_M[(z_m[0] < _SLICES_M) & (z_m[1] > _SLICES_M)]
    stops = [z_m[0], *between, z_m[1]]
    outline = [(x_m[0], 0, z) for z in stops] + [(x_m[1], 0, z) for z in reversed(stops)]
    polygon = round_corners(street.camera.project(outline))
    # Only the paint: the ground's light is laid once, with true depth in every row.
    cv2.fillPoly(canvas.paint_HWC, [polygon], (*colour, int(label)), shift=SUBPIXEL_BITS)


def _lay_strip(canvas: Canvas, street: Street, left_m: float, right_m: float, colour: Colour, *, label: Label) -> None:
    _lay_slab(canvas, street, (left_m, right_m), (_SLICES_M[0], FAR_M), colour, label=label)


def _lay_paving(canvas: Canvas, street: Street, colour: Colour) -> None:
    for z in np.arange(2.0, 26.0, 1.5):
        for x_m in ((street.walk_left_m, street.left_m), (street.right_m, street.walk_right_m)):
            _lay_slab(canvas, street, x_m, (z, z + 0.05), colour, label=Label.SIDEWALK)


def _lay_kerbs(canvas: Canvas, street: Street, colour: Colour) -> None:
    stops = [(_SLICES_M[0], FAR_M)]
    if street.side_road_m is not None:
        stops = [(_SLICES_M[0], street.side_road_m), (street.side_road_m + SIDE_ROAD_M, FAR_M)]
    for z_m in stops:
        _lay_slab(canvas, street, (street.left_m - 0.22, street.left_m), z_m, colour, label=Label.SIDEWALK)
        _lay_slab(canvas, street, (street.right_m, street.right_m + 0.22), z_m, colour, label=Label.SIDEWALK)


def _mend_road(canvas: Canvas, street: Street, road: Colour, rng: Generator) -> None:
    for _ in range(rng.integers(0, 6)):
        x, z = rng.uniform(street.left_m, street.right_m - 1.2), rng.uniform(3, 22)
        patch = scale(road, rng.uniform(0.6, 1.3))
        _lay_slab(canvas, street, (x, x + rng.uniform(0.4, 1.2)), (z, z + rng.uniform(0.5, 4)), patch, label=Label.ROAD)
    if rng.random() < 0.35:
        sheen = scale(street.light.sky_low, 0.7)
        for _ in range(rng.integers(1, 4)):
            _pour_puddle(canvas, street, sheen, rng)


def _pour_puddle(canvas: Canvas, street: Street, colour: Colour, rng: Generator) -> None:
    x, z = rng.uniform(street.left_m + 0.8, street.right_m - 0.8), rng.uniform(4, 16)
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    radius = rng.uniform(0.4, 0.8) * rng.uniform(0.75, 1.2, 18)
    rim = np.column_stack([x + radius * np.cos(turn), 0 * turn, z + 1.8 * radius * np.sin(turn)])
    polygon = round_corners(street.camera.project(rim))
    cv2.fillPoly(canvas.paint_HWC, [polygon], (*colour, int(Label.ROAD)), shift=SUBPIXEL_BITS)


def _mark_road(canvas: Canvas, street: Street, rng: Generator) -> None:
    colour = scale(WHITE if rng.random() < 0.7 else (232, 190, 60), rng.uniform(0.75, 1.0))
    middle = (street.left_m + street.right_m) / 2
    gap, dash = rng.uniform(1.5, 4), rng.uniform(1.5, 4)
    if rng.random() < 0.8:
        for z in np.arange(1.0, 60.0, gap + dash):
            _lay_slab(canvas, street, (middle - 0.08, middle + 0.08), (z, z + dash), colour, label=Label.ROAD)
    if rng.random() < 0.4:
        for x in (street.left_m + 0.3, street.right_m - 0.3):
            _lay_slab(canvas, street, (x - 0.06, x + 0.06), (_SLICES_M[0], FAR_M), colour, label=Label.ROAD)
    if street.side_road_m is not None or rng.random() < 0.3:
        z = (street.side_road_m or rng.uniform(10, 20)) - 3.6
        for x in np.arange(street.left_m + 0.3, street.right_m - 0.4, 0.9):
            _lay_slab(canvas, street, (x, x + 0.5), (z, z + 2.6), pick(rng, (colour, WHITE)), label=Label.ROAD)


def _roughen(canvas: Canvas, street: Street, rng: Generator) -> None:
    """Grain that lies on the ground in perspective."""
    tile = rng.standard_normal((_TILE_PX, _TILE_PX), dtype=np.float32)
    grain = 0.6 * tile + 2.2 * cv2.GaussianBlur(tile, (0, 0), 2) + 9 * cv2.GaussianBlur(tile, (0, 0), 9)
    below = int(street.camera.horizon_px) + 1
    x_HW, z_H1 = street.camera.locate_ground(below)
    # Float32 overflows nothing here: the farthest row lies within some 10 km.
    column_HW = x_HW * np.float32(22) % (_TILE_PX - 1)
    row_HW = np.broadcast_to(z_H1 * np.float32(12) % (_TILE_PX - 1), x_HW.shape)
    grain_HW = cv2.remap(grain, column_HW, np.ascontiguousarray(row_HW), cv2.INTER_LINEAR)
    factor_HW = 1 + np.float32(rng.uniform(0.04, 0.1)) * np.exp(-z_H1 / 14) * grain_HW
    for channel in range(3):
        ground_HW = canvas.paint_HWC[below:, :, channel]
        ground_HW[...] = np.clip(ground_HW * factor_HW, 0, 255)
