"""Decoded pictures of a training, in one file of raw pixels that all its processes read as memory.

The file has no name while it is used: it goes with the last process that holds it, however that one ends.
"""

from __future__ import annotations

import logging
import mmap
import os
import shutil
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.memory import read_memory_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.training.ranks import Ranks

FILE = "decoded.raw"
# Of the machine's memory, as pixels that have to be read from a disk come no faster than they are decoded.
MEMORY_SHARE = 0.5
# Of what is free on the disk, which the checkpoints need too.
DISK_SHARE = 0.5
CHANNELS = 4

logger = logging.getLogger(__name__)


class DecodedPictures:
    """Pictures and masks of one size, each kept by whichever process decodes it first.

    Args:
        descriptor: of a file that can be read and written; closed with this object.
        count: how many pictures there are.
        size: of each.
    """

    def __init__(self, descriptor: int, count: int, size: Size) -> None:
        self._descriptor = descriptor
        self._shape = (size.height, size.width)
        self._image_bytes, self._bytes = 3 * size.pixels, CHANNELS * size.pixels
        # One byte a picture says whether it is there; the pictures come behind them.
        self._start = count
        self._map = mmap.mmap(descriptor, count + count * self._bytes, access=mmap.ACCESS_READ)
        self._is_full = False

    def find(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
        """Give image_HWC and mask_HW, which the caller may change, or None if nobody has kept them yet."""
        if not self._map[index]:
            return None
        pixels = np.frombuffer(self._map, np.uint8, self._bytes, self._start + index * self._bytes).copy()
        return pixels[: self._image_bytes].reshape(*self._shape, 3), pixels[self._image_bytes :].reshape(self._shape)

    def keep(self, index: int, image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8]) -> None:
        """Keep a picture, unless the disk refuses."""
        if self._is_full:
            return
        pixels = np.concatenate([image_HWC.ravel(), mask_HW.ravel()])
        try:
            written = os.pwrite(self._descriptor, pixels.data, self._start + index * self._bytes)
        except OSError as error:
            self._is_full = True
            logger.warning("decoded pictures are kept no more", extra={"reason": error.strerror})
            return
        # Last, and by the system: no process can see the mark without the pixels.
        if written == self._bytes:
            os.pwrite(self._descriptor, b"\1", index)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Stay behind: a process that is not forked decodes for itself."""
        return type(None), ()

    def __del__(self) -> None:
        os.close(self._descriptor)


def open_decoded(folder: Path, count: int, size: Size, ranks: Ranks) -> DecodedPictures | None:
    """Make a file for the pictures of a training, the same for all its ranks; None where it would not fit.

    Args:
        folder: on whose disk it lies.
        count: how many pictures there are.
        size: of each, as the network sees them.
        ranks: the processes of the training, which call this together.
    """
    path = folder / FILE
    if ranks.is_first:
        _make_file(path, count * (1 + CHANNELS * size.pixels))
    ranks.wait()
    descriptor = os.open(path, os.O_RDWR) if path.is_file() else None
    ranks.wait()
    if ranks.is_first:
        path.unlink(missing_ok=True)
    return None if descriptor is None else DecodedPictures(descriptor, count, size)


def _make_file(path: Path, wanted_bytes: int) -> None:
    """Make a file of holes, or none where it would not fit; one that a killed training left goes in either case."""
    path.unlink(missing_ok=True)
    for what, share, there_bytes in (
        ("memory", MEMORY_SHARE, read_memory_bytes()),
        ("disk", DISK_SHARE, shutil.disk_usage(path.parent).free),
    ):
        if wanted_bytes > share * there_bytes:
            logger.warning(
                "pictures are decoded anew in each epoch",
                extra={"wanted_bytes": wanted_bytes, "limit": what, "limit_bytes": int(share * there_bytes)},
            )
            return
    try:
        with path.open("wb") as file:
            file.truncate(wanted_bytes)
    except OSError as error:
        path.unlink(missing_ok=True)
        logger.warning("pictures are decoded anew in each epoch", extra={"reason": error.strerror})
