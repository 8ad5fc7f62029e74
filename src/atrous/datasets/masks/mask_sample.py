"""A look at some masks of a dataset, to see what stands in them before all are read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from atrous.bundle.picture import DEFAULT_MAX_PIXELS
from atrous.datasets.findings import Finding
from atrous.datasets.masks.colour_mask import pack_colours
from atrous.datasets.masks.mask_file import threshold_jpeg
from atrous.datasets.masks.mask_picture import decode_colours, decode_values, read_mask_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File

SAMPLE_SIZE = 32


@dataclass(slots=True)
class MaskSample:
    """What was seen in a few masks; those that cannot be decoded are not among them.

    Attributes:
        values: value -> pixels, of masks with one channel, and of JPEGs that are black and white.
        colours: of each mask that was looked at for colours: 0xRRGGBB -> pixels.
        jpegs: how many are JPEGs.
        grey_jpegs: how many of these have greys between black and white.
    """

    values: Counter[int] = field(default_factory=Counter[int])
    colours: list[Counter[int]] = field(default_factory=list[Counter[int]])
    jpegs: int = 0
    grey_jpegs: int = 0

    @property
    def all_colours(self) -> Counter[int]:
        """0xRRGGBB -> pixels."""
        return sum(self.colours, Counter[int]())


def sample_values(files: Sequence[File]) -> MaskSample:
    """Count values in some of the masks; masks of several channels are counted as colours."""
    sample = MaskSample()
    for file in _spread(files):
        header = read_mask_header(file)
        pixels = decode_values(file) if not isinstance(header, Finding) else header
        if isinstance(header, Finding) or isinstance(pixels, Finding):
            continue
        if header.is_jpeg:
            sample.jpegs += 1
            black_white_HW = threshold_jpeg(pixels)
            sample.grey_jpegs += black_white_HW is None
            pixels = np.empty(0, np.uint8) if black_white_HW is None else black_white_HW
        if pixels.ndim == 3:
            sample.colours.append(_count(pack_colours(pixels)))
        else:
            sample.values += _count(pixels)
    return sample


def sample_colours(files: Sequence[File]) -> MaskSample:
    """Count colours in some of the masks, those of a palette through it; JPEGs have none that count."""
    sample = MaskSample()
    for file in _spread(files):
        header = read_mask_header(file)
        if isinstance(header, Finding) or header.is_jpeg:
            continue
        pixels_HWC = decode_colours(file)
        if not isinstance(pixels_HWC, Finding):
            sample.colours.append(_count(pack_colours(pixels_HWC)))
    return sample


def _spread(files: Sequence[File]) -> list[File]:
    places = np.unique(np.linspace(0, len(files) - 1, min(SAMPLE_SIZE, len(files))).astype(int))
    chosen = [files[int(place)] for place in places]
    return [file for file in chosen if _is_small_enough(file)]


def _is_small_enough(file: File) -> bool:
    header = read_mask_header(file)
    return not isinstance(header, Finding) and header.size.pixels <= DEFAULT_MAX_PIXELS


def _count(pixels: NDArray[Any]) -> Counter[int]:
    values, counts = np.unique(pixels, return_counts=True)
    return Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))
