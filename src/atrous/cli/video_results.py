"""The files that `atrous infer` leaves for a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.cli.results import Kind, write_whole
from atrous.cli.video_file import VideoFile
from atrous.runtime.overlay import draw_overlay
from atrous.runtime.png import encode_grey_png

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from atrous.cli.predictors import Seen
    from atrous.cli.video_source import Frame


@dataclass(frozen=True, slots=True)
class VideoWish:
    """What is wanted of a video.

    Attributes:
        kinds: an annotated video, label masks of its frames, or both.
        every: N to see only every Nth frame.
        max_frames: end after so many frames; None for all.
        fps: frames a second of the source; None believes the source.
    """

    kinds: frozenset[Kind]
    every: int = 1
    max_frames: int | None = None
    fps: float | None = None


class VideoResults:
    """NAME_overlay.mp4 and NAME/000123_mask.png, as far as they are wanted, in the making.

    Args:
        stem: of the results.
        wish: what is wanted.
        fps: frames a second of the annotated video.

    Attributes:
        written: frames that were written.
        lost: frames that nobody saw; the annotated video shows the one before for longer.
    """

    def __init__(self, stem: Path, wish: VideoWish, fps: float) -> None:
        self.written = self.lost = 0
        self._stem = stem
        self._wish = wish
        self._fps = fps
        self._video: VideoFile | None = None
        self._last_number = 0
        self._last_HWC: NDArray[np.uint8] | None = None

    def write(self, pair: tuple[Frame, Seen]) -> None:
        """Add the next frame."""
        frame, seen = pair
        lost = self._count_lost(frame) if self.written else 0
        if Kind.MASKS in self._wish.kinds:
            self._stem.mkdir(parents=True, exist_ok=True)
            write_whole(self._stem / f"{frame.number:06}_mask.png", encode_grey_png(seen.mask_HW))
        if Kind.OVERLAYS in self._wish.kinds:
            self._show(draw_overlay(seen.image_HWC, seen.mask_HW, seen.class_map), lost)
        self._last_number = frame.number
        self.lost += lost
        self.written += 1

    def finish(self, *, is_whole: bool) -> Path:
        """Close the annotated video; give the place of what was written."""
        return self._video.finish(is_whole=is_whole) if self._video else self._stem

    def _count_lost(self, frame: Frame) -> int:
        return (frame.number - self._last_number) // self._wish.every - 1

    def _show(self, overlay_HWC: NDArray[np.uint8], lost: int) -> None:
        if self._video is None:
            height, width = overlay_HWC.shape[:2]
            self._video = VideoFile(locate_video(self._stem), self._fps, (width, height))
        if self._last_HWC is not None:
            self._video.add(self._last_HWC, lost)
        self._video.add(overlay_HWC)
        self._last_HWC = overlay_HWC


def locate_video(stem: Path) -> Path:
    """Where the annotated video is, once it is whole."""
    return stem.with_name(f"{stem.name}_overlay.mp4")


def is_finished(stem: Path, wish: VideoWish) -> bool:
    """Whether an earlier run has finished a video; of masks alone that cannot be told, so they are not."""
    has_masks = Kind.MASKS not in wish.kinds or stem.is_dir()
    return Kind.OVERLAYS in wish.kinds and has_masks and locate_video(stem).is_file()
