"""Tiny videos of plain colours, and streams of them."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.fakes.http_servers import serve_by

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

Colour = tuple[int, int, int]


def fill(colour: Colour, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A BGR picture of one RGB colour; the size is width, height."""
    return np.full((size[1], size[0], 3), colour[::-1], np.uint8)


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], *, fps: float = 10.0, codec: str = "MJPG") -> Path:
    """A video file of BGR frames."""
    writer = None
    for frame_HWC in frames:
        size = frame_HWC.shape[1], frame_HWC.shape[0]
        writer = writer or cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
        assert writer.isOpened()
        writer.write(frame_HWC)
    assert writer is not None
    writer.release()
    return path


def read_video(path: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """The frames of a video file, and how many it shows a second."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.isOpened(), path
    frames = []
    while (frame := capture.read())[0]:
        frames.append(np.asarray(frame[1], np.uint8))
    return frames, capture.get(cv2.CAP_PROP_FPS)


def lay_on_side(path: Path) -> None:
    """Have an MP4 say that it is to be turned by a quarter, clockwise."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    one, whole = 1 << 16, 1 << 30
    data[start : start + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, whole)
    path.write_bytes(bytes(data))


def misstate_fps(path: Path) -> None:
    """Have an AVI tell a pace that no camera has."""
    data = bytearray(path.read_bytes())
    start = data.index(b"strh") + 8 + 20
    data[start : start + 8] = struct.pack("<2I", 1, 90_000)
    path.write_bytes(bytes(data))


@contextmanager
def stream(parts: Callable[[], Iterable[NDArray[np.uint8]]]) -> Generator[str]:
    """The address of a camera that shows BGR frames as an endless-looking series of JPEGs, while the block runs."""

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                for frame_HWC in parts():
                    jpeg = cv2.imencode(".jpg", frame_HWC)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return  # whoever watched has gone

        def log_message(self, *_: object) -> None:
            pass

    with serve_by(Camera) as address:
        yield f"{address}/camera"
