"""Videos and streams that come in, frame by frame."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import cv2
import numpy as np

from atrous.core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "tcp")
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv"}
)
# What FFmpeg calls any text: it would show it as a film of a terminal.
TEXT_CODEC = int.from_bytes(b"ansi", "little")
# Beyond that it is the clock of a container, not the pace of a camera.
MAX_FPS = 500
# A camera that says nothing for so long has gone.
TIMEOUT_MS = 10_000
# Announced lengths are estimates; a file that lacks more than this was cut off.
WHOLE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video: BGR `image_HWC`, and its number in the source, from 0."""

    image_HWC: NDArray[np.uint8]
    number: int


class VideoSource:
    """An open video file or stream; its frames can be read once, in one thread.

    Attributes:
        label: its name for people, without passwords.
        is_live: it comes at a pace of its own and has no length.
        fps: frames a second; None if it does not tell.
        length: frames it announces; None if it does not tell.
        read: frames that were read so far.
    """

    def __init__(self, capture: cv2.VideoCapture, label: str, *, is_stream: bool) -> None:
        self._capture = capture
        fps, length = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.label = label
        self.fps = fps if math.isfinite(fps) and 0 < fps <= MAX_FPS else None
        self.length = int(length) if math.isfinite(length) and length >= 1 else None
        self.is_live = is_stream and self.length is None
        self.read = 0
        self._reached_s = 0.0

    def frames(self, every: int) -> Generator[Frame]:
        """Every Nth frame, turned as its file says, of the first one's size; closes the source at the end."""
        size: tuple[int, int] | None = None
        try:
            while (image_HWC := self._step(is_wanted=self.read % every == 0)) is not None:
                if image_HWC.size:
                    size = size or (image_HWC.shape[1], image_HWC.shape[0])
                    yield Frame(_bring_to(image_HWC, size), self.read - 1)
        finally:
            self._capture.release()

    @property
    def is_cut_off(self) -> bool:
        """Whether it ended, in frames and in time, before the length that it announces."""
        if self.length is None or self.fps is None:
            return False
        lacks_time = self._reached_s < WHOLE_SHARE * (self.length - 1) / self.fps
        return lacks_time and self.read < WHOLE_SHARE * self.length

    def _step(self, *, is_wanted: bool) -> NDArray[np.uint8] | None:
        """The next frame, None at the end; one that is not wanted is passed over and is empty."""
        if not self._capture.grab():
            return None
        self.read += 1
        self._reached_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not is_wanted:
            return np.empty((0, 0, 3), np.uint8)
        is_there, image_HWC = self._capture.retrieve()
        return np.asarray(image_HWC, np.uint8) if is_there else np.empty((0, 0, 3), np.uint8)


def open_video_file(path: Path) -> VideoSource:
    """Open a file.

    Raises:
        InvalidInputError: if it is no video.
    """
    capture = _open(str(path.absolute()))
    if capture is None:
        raise InvalidInputError(
            f"{path}: is no video that can be read; it may be empty, cut off or of a kind that is not known here"
        )
    return VideoSource(capture, str(path), is_stream=False)


def open_stream(address: str) -> VideoSource:
    """Open a stream, or a video file on a server.

    Raises:
        UnavailableError: if no video comes from there.
    """
    label, capture = hide_secrets(address), _open(address)
    if capture is None:
        raise UnavailableError(f"{label}: no video comes from there; check the address and that it runs")
    return VideoSource(capture, label, is_stream=True)


def is_stream(place: str) -> bool:
    """Whether a text is the address of a stream."""
    return place.partition("://")[0].lower() in STREAM_SCHEMES and "://" in place


def can_open_video(path: Path) -> bool:
    """Whether a file is a video, or a picture, which opens as one of a single frame."""
    capture = _open(str(path.absolute()))
    if capture is None:
        return False
    capture.release()
    return True


def hide_secrets(address: str) -> str:
    """An address without user, password and query."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def name_stream(address: str) -> str:
    """A file name for what comes from an address."""
    parts = urlsplit(address)
    words = re.sub(r"[^\w.-]+", "_", f"{parts.netloc.rpartition('@')[2]}{parts.path}")
    return words.strip("._") or "stream"


def quieten_codecs() -> None:
    """Keep FFmpeg's own lines off the terminal, unless they are asked for by its variable; we say what went wrong."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _open(place: str) -> cv2.VideoCapture | None:
    quieten_codecs()
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
    capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, limits)
    if capture.isOpened() and int(capture.get(cv2.CAP_PROP_FOURCC)) != TEXT_CODEC:
        return capture
    capture.release()
    return None


def _bring_to(image_HWC: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if (image_HWC.shape[1], image_HWC.shape[0]) == size:
        return image_HWC
    return np.asarray(cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)
