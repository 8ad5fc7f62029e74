from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests.fakes.pictures import BLACK, RED
from tests.fakes.videos import fill, read_video

from atrous.cli.predictors import Seen
from atrous.cli.results import Kind
from atrous.cli.video_results import VideoResults, VideoWish
from atrous.cli.video_source import Frame
from atrous.core.class_map import ClassMap

if TYPE_CHECKING:
    from pathlib import Path

CLASS_MAP = ClassMap(("background", "red"))
OVERLAYS = frozenset({Kind.OVERLAYS})


def see(number: int, colour: tuple[int, int, int]) -> tuple[Frame, Seen]:
    image_HWC = fill(colour)
    mask_HW = np.zeros(image_HWC.shape[:2], np.uint8)
    return Frame(image_HWC, number), Seen(image_HWC, mask_HW, CLASS_MAP)


def test_frames_that_nobody_saw_are_made_up_for_by_the_one_before(tmp_path: Path) -> None:
    results = VideoResults(tmp_path / "clip", VideoWish(OVERLAYS), 10)
    for number, colour in ((5, BLACK), (6, RED), (9, BLACK)):
        results.write(see(number, colour))
    frames, _ = read_video(results.finish(is_whole=True))
    assert [int(frame[:, :, 2].mean() > 100) for frame in frames] == [0, 1, 1, 1, 0]
    assert (results.written, results.lost) == (3, 2)


def test_frames_that_are_not_wanted_are_not_missed(tmp_path: Path) -> None:
    results = VideoResults(tmp_path / "clip", VideoWish(OVERLAYS, every=4), 10)
    for number in (0, 4, 8, 16):
        results.write(see(number, RED))
    frames, _ = read_video(results.finish(is_whole=True))
    assert (len(frames), results.lost) == (5, 1)


def test_a_video_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    results = VideoResults(tmp_path / "clip", VideoWish(OVERLAYS), 10)
    results.write(see(0, RED))
    assert [path.name for path in tmp_path.iterdir()] == ["clip_overlay.part.mp4"]
    assert results.finish(is_whole=True) == tmp_path / "clip_overlay.mp4"
    assert [path.name for path in tmp_path.iterdir()] == ["clip_overlay.mp4"]
