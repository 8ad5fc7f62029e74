"""What a version holds: pictures and label masks as local files, ready to be loaded."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.picture import decode_grey_levels, decode_picture
from atrous.bundle.preprocessing import TILE_STEPS, Preprocessing, Step, fit_image, fit_mask, skip_steps
from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidDatasetError, InvalidImageError
from atrous.datasets.orientation import read_orientation, turn_back
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.pixel_counts import count_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.datasets.splits import Split


class Stage(StrEnum):
    """How far a version's picture is prepared: as it was uploaded, cut out of that, or at the network's size."""

    ORIGINAL = "original"
    TILE = "tile"
    PREPARED = "prepared"


STEPS_DONE: dict[Stage, frozenset[Step]] = {
    Stage.ORIGINAL: frozenset(),
    Stage.TILE: TILE_STEPS,
    Stage.PREPARED: frozenset(Step),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of a version and its mask of class ids.

    The mask has the picture's size after EXIF rotation.
    """

    name: str
    image_path: Path
    mask_path: Path
    split: Split
    stage: Stage = Stage.ORIGINAL

    @property
    def steps_done(self) -> frozenset[Step]:
        """Steps of the version's preprocessing that must not be taken again; at its size, fitting changes nothing."""
        return STEPS_DONE[self.stage]


def load_sample(sample: Sample, auto_orient: bool = True) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decode a picture and its mask.

    Args:
        sample: where they are.
        auto_orient: turn the picture as its EXIF data says; if not, its mask is turned back instead.

    Returns:
        image_HWC, BGR, and mask_HW, class ids or 255 for void; both uint8 and of one size.

    Raises:
        InvalidDatasetError: naming the file, if one is damaged or they do not fit each other.
    """
    data = sample.image_path.read_bytes()
    try:
        image_HWC = decode_picture(data, auto_orient=auto_orient)
    except InvalidImageError as error:
        raise InvalidDatasetError(f"{sample.image_path}: {sample.name}: {error}; import it again") from error
    mask_HW = load_mask(sample.name, sample.mask_path)
    if not auto_orient:
        mask_HW = turn_back(mask_HW, read_orientation(data))
    if image_HWC.shape[:2] != mask_HW.shape:
        (height, width), (mask_height, mask_width) = image_HWC.shape[:2], mask_HW.shape
        raise InvalidDatasetError(
            f"{sample.mask_path}: the mask of {sample.name} is {mask_width}x{mask_height}, its picture "
            f"{width}x{height}; import it again"
        )
    return image_HWC, mask_HW


def load_mask(name: str, path: Path) -> NDArray[np.uint8]:
    """Decode the mask of a picture of this name, as it lies on the upright picture.

    Raises:
        InvalidDatasetError: naming the file, if it is damaged or no mask.
    """
    try:
        mask_HW = decode_grey_levels(path.read_bytes())
    except InvalidImageError as error:
        raise InvalidDatasetError(f"{path}: mask of {name}: {error}; import it again") from error
    if mask_HW.ndim != 2 or mask_HW.dtype != np.uint8:
        raise InvalidDatasetError(f"{path}: the mask of {name} is not 8-bit grey; import it again")
    return mask_HW


def load_fitted(sample: Sample, preprocessing: Preprocessing) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load a sample as the network sees it: image_HWC, BGR, and mask_HW at the network's size.

    Raises:
        InvalidDatasetError: as `load_sample` does.
    """
    image_HWC, mask_HW = load_sample(sample, auto_orient=preprocessing.auto_orient)
    remaining = skip_steps(preprocessing, sample.steps_done)
    return fit_image(image_HWC, remaining), fit_mask(mask_HW, remaining)


def count_class_pixels(samples: Iterable[Sample], class_count: int) -> NDArray[np.int64]:
    """Pixels by class id over all masks, void left out.

    Raises:
        InvalidDatasetError: naming the mask, if one is damaged or holds an id that is neither a class nor void.
    """
    return count_picture_pixels(samples, class_count).sum(axis=0)


def count_picture_pixels(samples: Iterable[Sample], class_count: int) -> NDArray[np.int64]:
    """Pixels by picture and class id [P, K] over all masks, void left out.

    Raises:
        InvalidDatasetError: as `count_class_pixels` does.
    """
    with closing(map_in_threads(partial(_count_sample, class_count=class_count), samples)) as counts:
        return np.array(list(counts), np.int64).reshape(-1, class_count)


def _count_sample(sample: Sample, class_count: int) -> NDArray[np.int64]:
    counts = count_values(load_mask(sample.name, sample.mask_path), 256)
    stray = np.flatnonzero(counts[class_count:VOID_ID])
    if len(stray):
        raise InvalidDatasetError(
            f"{sample.mask_path}: the mask of {sample.name} has value {class_count + stray[0]}, but there are "
            f"{class_count} classes; import it again"
        )
    return counts[:class_count]
