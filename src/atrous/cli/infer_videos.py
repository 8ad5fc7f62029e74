"""A video through a model: decoded ahead, encoded behind, so that only the network is waited for."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from atrous.cli.belt import read_ahead, read_newest, write_behind
from atrous.cli.results import Kind
from atrous.cli.terminal import open_progress, say
from atrous.cli.video_results import VideoResults, VideoWish
from atrous.core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from atrous.cli.predictors import Predictor
    from atrous.cli.video_source import Frame, VideoSource

# Frames of memory before and after the network; of a live stream the newest counts.
AHEAD, AHEAD_LIVE, BEHIND = 4, 1, 4
UNTOLD_FPS = 25.0


def infer_video(source: VideoSource, stem: Path, predictor: Predictor, wish: VideoWish) -> None:
    """Write the results of a video; whenever it ends, what was written can be played, and is told.

    Raises:
        InvalidInputError: if it has no frame, or ends before its end.
        UnavailableError: if a stream breaks off.
    """
    results = VideoResults(stem, wish, _tell_fps(source, wish) / wish.every)
    started_s, is_done = time.monotonic(), False
    try:
        _run(source, predictor, results, wish)
        is_done = True
    finally:
        # A person ends a stream; a file that was not seen to its end is not finished.
        place = results.finish(is_whole=is_done or source.is_live)
        if results.written:
            say(_tell(source, results, place, time.monotonic() - started_s))
    _judge_end(source, results.written, wish)


def _run(source: VideoSource, predictor: Predictor, results: VideoResults, wish: VideoWish) -> None:
    total = -(-source.length // wish.every) if source.length else None
    if wish.max_frames:
        total = min(total or wish.max_frames, wish.max_frames)
    with open_progress() as progress:
        task = progress.add_task("predicting", total=total)
        with (
            write_behind(results.write, BEHIND) as hand_over,
            closing(_read(source, wish)) as frames,
            closing(predictor.predict_frames(islice(frames, wish.max_frames))) as pairs,
        ):
            for pair in pairs:
                hand_over(pair)
                progress.advance(task)


def _read(source: VideoSource, wish: VideoWish) -> Generator[Frame]:
    if source.is_live:
        return read_newest(source.frames(wish.every), AHEAD_LIVE)
    return read_ahead(source.frames(wish.every), AHEAD)


def _tell_fps(source: VideoSource, wish: VideoWish) -> float:
    fps = wish.fps or source.fps
    if fps is None and Kind.OVERLAYS in wish.kinds:
        say(f"{source.label}: tells no frames a second; {UNTOLD_FPS:g} are taken, --fps says another")
    return fps or UNTOLD_FPS


def _tell(source: VideoSource, results: VideoResults, place: Path, seconds: float) -> str:
    reason = "came too quickly" if source.is_live else "cannot be decoded"
    lost = f", {results.lost} left out that {reason}" if results.lost else ""
    rate = f", {results.written / seconds:.1f} frames per second" if seconds > 0 else ""
    return f"{source.label}: {results.written} frames written to {place}{lost}{rate}"


def _judge_end(source: VideoSource, written: int, wish: VideoWish) -> None:
    if not written:
        raise InvalidInputError(f"{source.label}: has no frame that can be read; is it a whole video?")
    if wish.max_frames and written >= wish.max_frames:
        return
    if source.is_live:
        raise UnavailableError(f"{source.label}: the stream broke off after {written} frames; start it again")
    if source.is_cut_off:
        raise InvalidInputError(
            f"{source.label}: ends after {source.read} of the {source.length} frames that it announces; "
            "it was cut off, what there is was written"
        )
