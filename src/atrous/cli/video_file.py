"""An annotated video on its way to the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from atrous.cli.video_source import quieten_codecs
from atrous.core.errors import InvalidInputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

# MPEG-4 writes some twenty times quicker than VP9, which is for what it cannot hold, such as more than 8191 px a side.
CODECS = ("mp4v", "VP90")


class VideoFile:
    """Writes an MP4 under a name of its own until it is whole; a frame more or less than it should have is noticed.

    Raises:
        InvalidInputError: if no codec here writes frames of this size.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._partial = path, path.with_name(f"{path.stem}.part{path.suffix}")
        # OpenCV tells nothing of a disk that refuses; opening does.
        self._partial.touch()
        self._writer = _open_writer(self._partial, fps, size)
        self.frames = 0

    def add(self, image_HWC: NDArray[np.uint8], times: int = 1) -> None:
        """Append a BGR frame of the video's size; it is shown for so many frames."""
        for _ in range(times):
            self._writer.write(image_HWC)
        self.frames += times

    def finish(self, *, is_whole: bool) -> Path:
        """Close the file and give its place; one that is not whole keeps its other name, and can be played.

        Raises:
            StorageError: if frames are missing in it.
        """
        self._writer.release()
        written = cv2.VideoCapture(str(self._partial.absolute()), cv2.CAP_FFMPEG)
        count = int(written.get(cv2.CAP_PROP_FRAME_COUNT))
        written.release()
        if count != self.frames:
            if count <= 0:
                self._partial.unlink(missing_ok=True)
            raise StorageError(f"{self._partial}: holds {max(count, 0)} of {self.frames} frames; is the disk full?")
        return self._partial.replace(self._path) if is_whole else self._partial


def _open_writer(path: Path, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    quieten_codecs()
    for codec in CODECS:
        fourcc = cv2.VideoWriter.fourcc(*codec)
        writer = cv2.VideoWriter(str(path.absolute()), cv2.CAP_FFMPEG, fourcc, fps, size)
        if writer.isOpened():
            return writer
    path.unlink()
    width, height = size
    raise InvalidInputError(
        f"{path.name}: no video of {width}x{height} px at {fps:g} frames a second can be written here; "
        "ask for masks only, with --only masks"
    )
