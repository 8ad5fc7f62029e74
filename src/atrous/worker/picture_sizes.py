"""How large the pictures are that a network is trained on."""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING, Any

from atrous.bundle.manifest import PICTURE_SIZE
from atrous.bundle.picture import read_picture_size
from atrous.bundle.preprocessing import locate_tiles, skip_steps
from atrous.datasets.content import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.sizes import Size
    from atrous.datasets.content import Sample

# Enough for a median, and read in a moment.
SAMPLES = 200


def describe_pictures(samples: Sequence[Sample], preprocessing: Preprocessing) -> dict[str, Any]:
    """What a manifest tells of pictures: their median size after crop and tiles, before the network's size.

    Nothing if all are at the network's size already.
    """
    told = [sample for sample in samples if sample.stage is not Stage.PREPARED]
    sizes = [_find_size(sample, preprocessing) for sample in told[:: max(1, len(told) // SAMPLES)]]
    if not sizes:
        return {}
    height, width = median_low(size.height for size in sizes), median_low(size.width for size in sizes)
    return {PICTURE_SIZE: {"height": height, "width": width}}


def _find_size(sample: Sample, preprocessing: Preprocessing) -> Size:
    # Of the mask, as it has the picture's size after EXIF rotation and is the smaller file.
    stored = read_picture_size(sample.mask_path.read_bytes())
    return locate_tiles(stored, skip_steps(preprocessing, sample.steps_done))[0].size
