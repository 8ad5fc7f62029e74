"""The pictures of a version, made of those of its project: the same pixels for its making and for a look ahead.

Axes: H W pixels, C channels. A pair is image_HWC, BGR, and mask_HW in the version's ids; both uint8 and of one size.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import orjson
import simplejpeg
from PIL import Image

from atrous.bundle.picture import UNREADABLE
from atrous.bundle.preprocessing import TILE_STEPS, fit_image, fit_mask, locate_tiles, skip_steps
from atrous.core.class_map import BACKGROUND_ID, VOID_ID
from atrous.core.sizes import Size
from atrous.datasets.augmentation import augment, make_generator
from atrous.datasets.content import Sample, Stage, load_mask, load_sample
from atrous.datasets.splits import Split
from atrous.datasets.version_settings import write_augmentations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.datasets.augmentation.geometry import Pair
    from atrous.datasets.version_settings import VersionSettings
    from atrous.workspace.ports import Ports
    from atrous.workspace.version_sources import Source, SourcePicture

LOSSLESS = frozenset({"PNG", "BMP", "TIFF", "GIF"})
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True, eq=False)
class MadePicture:
    """A picture of a version.

    Attributes:
        ending: of its name, after the stem of the project's picture.
    """

    ending: str
    image_HWC: NDArray[np.uint8]
    mask_HW: NDArray[np.uint8]
    stage: Stage


@dataclass(frozen=True, eq=False)
class PictureMaker:
    """Makes the pictures of one version; safe to use from several threads."""

    ports: Ports
    settings: VersionSettings
    preprocessing: Preprocessing
    source: Source

    @property
    def is_idle(self) -> bool:
        """Whether the version holds the project's pictures and masks as they are."""
        return not (self.settings.tiles or self.settings.augmentations or self.source.new_ids)

    def keeps_image(self, picture: SourcePicture) -> bool:
        """Whether the version holds the picture as it is, with another mask at most."""
        return not (self.settings.tiles or (picture.split is Split.TRAIN and self.settings.augmentations))

    def load(self, picture: SourcePicture) -> Pair:
        """Read a picture and its mask.

        Raises:
            InvalidDatasetError: naming the picture, if one is damaged or they do not fit each other.
            NotFoundError: if one is missing from the store.
        """
        blobs = self.ports.blobs
        sample = Sample(picture.name, blobs.path(picture.image_sha256), blobs.path(picture.mask_sha256), picture.split)
        image_HWC, mask_HW = load_sample(sample, auto_orient=self.preprocessing.auto_orient)
        return image_HWC, mask_HW if self._ids is None else self._ids[mask_HW]

    def load_mask(self, picture: SourcePicture) -> NDArray[np.uint8]:
        """Read a mask alone, as it lies on the upright picture.

        Raises:
            InvalidDatasetError: naming the picture, if it is damaged.
            NotFoundError: if it is missing from the store.
        """
        mask_HW = load_mask(picture.name, self.ports.blobs.path(picture.mask_sha256))
        return mask_HW if self._ids is None else self._ids[mask_HW]

    def cut(self, pair: Pair) -> list[Pair]:
        """Tiles of a picture; without tiles, the picture is the only one."""
        if self.settings.tiles is None:
            return [pair]
        size = Size(height=pair[1].shape[0], width=pair[1].shape[1])
        regions = locate_tiles(size, self.preprocessing)
        return [(pair[0][region.slices], pair[1][region.slices]) for region in regions]

    def make(self, picture: SourcePicture, kept_tiles: Collection[int] | None = None) -> Iterator[MadePicture]:
        """Give what a version holds of a picture.

        Args:
            picture: one of the source.
            kept_tiles: the only tiles to give; all, if None.
        """
        is_augmented = picture.split is Split.TRAIN and bool(self.settings.augmentations)
        stage = Stage.TILE if self.settings.tiles else Stage.ORIGINAL
        for number, pair in enumerate(self.cut(self.load(picture))):
            if kept_tiles is not None and number not in kept_tiles:
                continue
            ending = f"-tile{number + 1}" if self.settings.tiles else ""
            if is_augmented:
                yield from self._vary(picture, self.fit(pair), ending)
            else:
                yield MadePicture(ending, *pair, stage)

    def fit(self, pair: Pair) -> Pair:
        """A picture or tile as the network sees it."""
        remaining = skip_steps(self.preprocessing, TILE_STEPS) if self.settings.tiles else self.preprocessing
        return fit_image(pair[0], remaining), fit_mask(pair[1], remaining)

    def _vary(self, picture: SourcePicture, fitted: Pair, ending: str) -> Iterator[MadePicture]:
        for number in range(1, self.settings.outputs + 1):
            varied = f"{ending}-output{number}"
            rng = make_generator(picture.image_sha256, varied, self._seed)
            yield MadePicture(
                varied, *augment(fitted, self.settings.augmentations, rng, self._load_other), Stage.PREPARED
            )

    def _load_other(self, rng: Generator) -> Pair:
        pairs = self.cut(self.load(self._training[int(rng.integers(0, len(self._training)))]))
        return self.fit(pairs[int(rng.integers(0, len(pairs)))])

    @cached_property
    def _ids(self) -> NDArray[np.uint8] | None:
        """The version's id by the project's; what is no class is void."""
        if self.source.new_ids is None:
            return None
        ids = np.full(256, VOID_ID, np.uint8)
        ids[: len(self.source.new_ids)] = self.source.new_ids
        return ids

    @cached_property
    def _training(self) -> Sequence[SourcePicture]:
        return [picture for picture in self.source.pictures if picture.split is Split.TRAIN]

    @cached_property
    def _seed(self) -> str:
        return orjson.dumps(write_augmentations(self.settings), option=orjson.OPT_SORT_KEYS).decode()


def shows_class(mask_HW: NDArray[np.uint8]) -> bool:
    """Whether a mask has any pixel that is neither background nor void."""
    return bool(((mask_HW != BACKGROUND_ID) & (mask_HW != VOID_ID)).any())


def is_lossless(data: bytes) -> bool:
    """Whether a picture's file keeps every pixel as it is."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.format in LOSSLESS
    except UNREADABLE:
        return False


def encode_image(image_HWC: NDArray[np.uint8], *, lossless: bool) -> bytes:
    """A PNG, or a JPEG of high quality whose colours have the resolution of its levels."""
    image_HWC = np.ascontiguousarray(image_HWC)
    if lossless:
        return cv2.imencode(".png", image_HWC)[1].tobytes()
    return simplejpeg.encode_jpeg(image_HWC, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="444")
