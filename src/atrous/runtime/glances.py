"""A picture seen several times, mirrored and at other scales, and the mean of what is said of it.

Better by a little and slower by the number of glances: for scores and pictures that nobody waits for.
Axes: K classes, h w cells of the network's output, C channels, H W pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.preprocessing import TILE_STEPS, fit_image, locate_tiles, normalise, place_picture, skip_steps
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from atrous.runtime.decode import decode_logits, join_tiles
from atrous.runtime.pixels import resize_grid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing, Step
    from atrous.runtime.decode import Prediction
    from atrous.runtime.engine import Engine

SCALE_LIMITS = (0.25, 4.0)
OWN_SCALE = (1.0,)
# Keeps the logarithm of a probability of 0 finite.
TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True)
class Glances:
    """How a picture is seen: at each scale as it is and, if so chosen, mirrored left to right.

    Attributes:
        scales: of the network's input, 0.25 to 4; what does not fit is seen in parts, what is smaller is padded.

    Raises:
        InvalidInputError: if there is no scale, or one is beyond the limits.
    """

    mirrored: bool = True
    scales: tuple[float, ...] = OWN_SCALE

    def __post_init__(self) -> None:
        low, high = SCALE_LIMITS
        if not self.scales or not all(low <= scale <= high for scale in self.scales):
            raise InvalidInputError(f"scales {self.scales}: name one or more from {low:g} to {high:g}")

    def describe(self) -> str:
        """In words, for people."""
        scales = " and ".join(f"{scale:g}" for scale in self.scales)
        return f"{'as it is and mirrored, ' if self.mirrored else ''}at scale {scales}"


MIRRORED = Glances()
# Scales as in Chen et al. 2018, arXiv:1802.02611, without the outer ones, which cost most and gave least there.
MIRRORED_AND_SCALED = Glances(scales=(0.75, 1.0, 1.25))


def predict_glances(
    engine: Engine, image_HWC: NDArray[np.uint8], glances: Glances, skipped: Collection[Step] = ()
) -> Prediction:
    """Give class ids and confidence of a picture by the mean probability over all glances.

    Args:
        engine: sees the picture.
        image_HWC: BGR uint8.
        glances: how; one at scale 1 gives what `Engine.predict` gives.
        skipped: steps of the bundle's preprocessing to leave out for this picture.
    """
    preprocessing = skip_steps(engine.bundle.preprocessing, skipped)
    if preprocessing.tiles is None:
        return _predict(engine, image_HWC, glances, preprocessing)
    size, tile_steps = _size_of(image_HWC), skip_steps(preprocessing, TILE_STEPS)
    return join_tiles(
        size,
        (
            (region, _predict(engine, image_HWC[region.slices], glances, tile_steps))
            for region in locate_tiles(size, preprocessing)
        ),
    )


def _predict(
    engine: Engine, image_HWC: NDArray[np.uint8], glances: Glances, preprocessing: Preprocessing
) -> Prediction:
    canvas_HWC = fit_image(image_HWC, preprocessing)
    canvas, grid = preprocessing.size, engine.grid
    # Probabilities of other scales say more than the network's own cells can hold.
    common = grid if glances.scales == OWN_SCALE else canvas
    total_Khw = np.zeros((len(engine.bundle.class_map), common.height, common.width), np.float32)
    for scale in glances.scales:
        scaled = _Scaled(engine, preprocessing, grid, _scale(grid, scale))
        for seen_HWC, back in _turn(canvas_HWC, mirrored=glances.mirrored):
            total_Khw += resize_grid(scaled.rate(seen_HWC)[..., ::back], common.height, common.width)
    # Where padding is cut and cells become pixels, logits are asked for; these have the mean's softmax.
    logits_Khw = np.log(np.maximum(total_Khw / total_Khw.sum(axis=0), TINY))
    return decode_logits(logits_Khw, place_picture(_size_of(image_HWC), preprocessing), engine.crew)


def _turn(canvas_HWC: NDArray[np.uint8], *, mirrored: bool) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """The canvas, mirrored too if so chosen, with the step along its rows that turns an answer back."""
    yield canvas_HWC, 1
    if mirrored:
        yield np.ascontiguousarray(canvas_HWC[:, ::-1]), -1


def _scale(grid: Size, scale: float) -> Size:
    return Size(height=max(1, round(scale * grid.height)), width=max(1, round(scale * grid.width)))


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Sees a canvas at another size.

    Attributes:
        grid: cells of the network's output.
        cells: those that the canvas has at this size.
    """

    engine: Engine
    preprocessing: Preprocessing
    grid: Size
    cells: Size

    def rate(self, canvas_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of the canvas on its cells, the mean where parts of it overlap."""
        resized_HWC = self._resize(canvas_HWC)
        shape = (self.cells.height, self.cells.width)
        total_Khw = np.zeros((len(self.engine.bundle.class_map), *shape), np.float32)
        times_hw = np.zeros(shape, np.float32)
        for top in _find_starts(self.cells.height, self.grid.height):
            for left in _find_starts(self.cells.width, self.grid.width):
                place = np.s_[..., top : top + self.grid.height, left : left + self.grid.width]
                part_Khw = self._rate_part(resized_HWC, top, left)
                there_Khw = total_Khw[place]
                there_Khw += part_Khw[:, : there_Khw.shape[1], : there_Khw.shape[2]]
                times_hw[place] += 1
        return total_Khw / times_hw

    def _resize(self, canvas_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.cells == self.grid:
            return canvas_HWC
        width, height = self._to_px(self.cells.height, self.cells.width)[::-1]
        shrinks = self.cells.height < self.grid.height
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(canvas_HWC, (width, height), interpolation=way), np.uint8)

    def _rate_part(self, resized_HWC: NDArray[np.uint8], top: int, left: int) -> NDArray[np.float32]:
        """Probabilities of what the network sees from a cell on, padding included."""
        canvas = self.preprocessing.size
        top_px, left_px = self._to_px(top, left)
        part_HWC = resized_HWC[top_px : top_px + canvas.height, left_px : left_px + canvas.width]
        part_CHW = normalise(part_HWC, self.preprocessing)
        # Zero is the mean colour after normalisation, as it is around pictures that are zoomed out while training.
        input_CHW = np.zeros((3, canvas.height, canvas.width), np.float32)
        input_CHW[:, : part_CHW.shape[1], : part_CHW.shape[2]] = part_CHW
        return _find_softmax(self.engine.score_input(input_CHW))

    def _to_px(self, row: int, column: int) -> tuple[int, int]:
        canvas = self.preprocessing.size
        return round(row * canvas.height / self.grid.height), round(column * canvas.width / self.grid.width)


def _find_starts(whole: int, part: int) -> list[int]:
    """Where the fewest parts begin that cover a whole, evenly spread; one part if it is larger."""
    count = max(1, math.ceil(whole / part))
    return [0] if count == 1 else [round(place * (whole - part) / (count - 1)) for place in range(count)]


def _find_softmax(logits_Khw: NDArray[np.float32]) -> NDArray[np.float32]:
    powers_Khw = np.exp(logits_Khw - logits_Khw.max(axis=0))
    return powers_Khw / powers_Khw.sum(axis=0)


def _size_of(image_HWC: NDArray[np.uint8]) -> Size:
    return Size(height=image_HWC.shape[0], width=image_HWC.shape[1])
