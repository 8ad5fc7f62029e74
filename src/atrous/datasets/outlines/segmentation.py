"""The notation of COCO for one object's pixels: polygons, or run lengths as a list or compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from atrous.datasets.outlines.run_lengths import DamagedRunsError, expand_runs, fill_runs
from atrous.datasets.outlines.shapes import Area, Polygons, Unusable, UnusableOutlineError, pack_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.outlines.shapes import Shape

MAX_RUN_PX = 2**31


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Pixels as runs down the columns of a whole picture.

    Attributes:
        size_hw: of the picture that they were made for.
        counts: compressed as COCO does, or int64 bytes.
    """

    size_hw: tuple[int, int]
    counts: str | bytes

    def rasterise(self, size: Size) -> Area:
        """Expand the runs, after a check that they make just this picture."""
        if self.size_hw != (size.height, size.width):
            raise UnusableOutlineError(f"has run lengths for another size than {size}")
        lengths = self._read_lengths()
        # Checked here, because pycocotools leaves pixels after the last run as whatever memory held.
        if (lengths < 0).any() or (lengths > size.pixels).any() or lengths.sum() != size.pixels:
            raise UnusableOutlineError("has run lengths that do not add up to its picture")
        return Area(0, 0, fill_runs(lengths, size))

    def _read_lengths(self) -> NDArray[np.int64]:
        if isinstance(self.counts, bytes):
            return np.frombuffer(self.counts, np.int64)
        try:
            return np.asarray(expand_runs(self.counts), np.int64)
        except (DamagedRunsError, OverflowError) as error:
            reason = str(error) if isinstance(error, DamagedRunsError) else "has damaged run lengths"
            raise UnusableOutlineError(reason) from error


def read_segmentation(segmentation: Any) -> Shape:
    """One object from a list of polygons [x0, y0, x1, y1, ...] in pixels, whose union is meant, or from run lengths.

    Run lengths are {"size": [height, width], "counts": ...} with a list or COCO's compressed text. What is none of
    these gives an Unusable.
    """
    try:
        if isinstance(segmentation, dict):
            return _read_runs(cast("dict[str, Any]", segmentation))
        if not isinstance(segmentation, list) or not segmentation:
            return Unusable("has no outline")
        return Polygons(tuple(pack_points(part) for part in cast("list[Any]", segmentation)))
    except UnusableOutlineError as error:
        return Unusable(str(error))


def _read_runs(runs: dict[str, Any]) -> RunLengths:
    match runs.get("size"):
        case [int(height), int(width)]:
            size_hw = (height, width)
        case _:
            raise UnusableOutlineError("has run lengths without the size of their picture")
    counts = runs.get("counts")
    if isinstance(counts, str):
        return RunLengths(size_hw, counts)
    return RunLengths(size_hw, np.asarray(_whole_numbers(counts), np.int64).tobytes())


def _whole_numbers(counts: Any) -> Sequence[int]:
    lengths: list[Any] = cast("list[Any]", counts) if isinstance(counts, list) else [None]
    if not all(type(length) is int and abs(length) < MAX_RUN_PX for length in lengths):
        raise UnusableOutlineError("has run lengths that are no list of whole numbers")
    return lengths
