"""Where a point of the street falls on the picture.

World frame: metres, x to the right, y up from the ground, z ahead; the camera stands at (0, height_m, 0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
NEAREST_M = 0.7


@dataclass(frozen=True)
class Camera:
    """A pinhole looking down a street that may bend.

    Attributes:
        focal_px: distance from pinhole to picture, in pixels of the canvas.
        centre_px: column where the street vanishes.
        horizon_px: row of the horizon.
        bend_per_m: sideways drift of the street per squared metre ahead.
    """

    width_px: int
    height_px: int
    focal_px: float
    centre_px: float
    horizon_px: float
    height_m: float
    bend_per_m: float

    def project(self, points_xyz: ArrayLike) -> Floats:
        """Columns and rows [..., 2] of world points [..., 3]."""
        points = np.asarray(points_xyz, dtype=np.float64)
        depth = np.maximum(points[..., 2], NEAREST_M)
        column = self.centre_px + self.focal_px * (points[..., 0] / depth + self.bend_per_m * depth)
        row = self.horizon_px - self.focal_px * (points[..., 1] - self.height_m) / depth
        return np.stack([column, row], axis=-1)

    def size_px(self, length_m: float, depth_m: float) -> float:
        """How long an upright or sideways length looks at a depth."""
        return self.focal_px * length_m / max(depth_m, NEAREST_M)

    def locate_ground(self, first_row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """World x [H, W] and z [H, 1] of the ground, from a row under the horizon down to the last."""
        below_H1 = np.arange(first_row, self.height_px)[:, None] - self.horizon_px
        z_H1 = self.focal_px * self.height_m / np.maximum(below_H1, 0.1)
        aside_1W = (np.arange(self.width_px)[None, :] - self.centre_px) / self.focal_px
        x_HW = aside_1W.astype(np.float32) * z_H1.astype(np.float32)
        return x_HW - (self.bend_per_m * z_H1**2).astype(np.float32), z_H1.astype(np.float32)
