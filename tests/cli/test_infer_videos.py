from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.cli.terminal import publish
from tests.fakes.pictures import BLACK, BLUE, GREEN, RED, encode_squares
from tests.fakes.videos import fill, lay_on_side, misstate_fps, read_video, stream, write_video

from atrous.adapters.home import open_home
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from tests.cli.terminal import Said, Server

COLOURS = (RED, GREEN, BLUE, BLACK, RED)
IDS = [1, 2, 3, 0, 1]
# Scores 7.0 and 4.8 for red, against 5 for background.
STRONG_RED, WEAK_RED = (178, 0, 0), (122, 0, 0)


def write_clip(path: Path, colours: tuple[tuple[int, int, int], ...] = COLOURS) -> Path:
    return write_video(path, [fill(colour) for colour in colours])


def read_masks(folder: Path) -> dict[str, int]:
    """The class in the middle of each mask, by file name."""
    masks = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.iterdir())}
    return {name: int(mask[mask.shape[0] // 2, mask.shape[1] // 2]) for name, mask in masks.items()}


def find_files(folder: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


# Files


@pytest.mark.parametrize("name", ["clip.avi", "clip.mkv", "clip.mov", "clip.MP4"])
def test_a_video_gets_an_annotated_one_of_its_size_and_pace(atrous: Callable[..., Said], home: Path, name: str) -> None:
    publish(home)
    write_clip(Path(name))
    said = atrous("infer", "road/1", name, "--out", "seen")
    assert (said.code, said.out) == (0, ""), said.err
    assert f"{name}: 5 frames written to seen/clip_overlay.mp4" in said.err
    assert find_files("seen") == {"clip_overlay.mp4"}
    frames, fps = read_video(Path("seen/clip_overlay.mp4"))
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 5
    assert fps == pytest.approx(10)
    # Black is background, which nothing is drawn over.
    assert frames[3].max() < 40
    assert frames[0][:, :, 2].mean() > 120


def test_each_frame_gets_a_mask_if_asked(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_clip(Path("clip.avi"))
    assert atrous("infer", "road/1", "clip.avi", "--out", "seen", "--frame-masks").code == 0
    assert read_masks(Path("seen/clip")) == {f"{i:06}_mask.png": class_id for i, class_id in enumerate(IDS)}
    assert Path("seen/clip_overlay.mp4").is_file()


def test_masks_only_writes_no_video(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_clip(Path("clip.avi"))
    said = atrous("infer", "road/1", "clip.avi", "--out", "seen", "--only", "masks")
    assert said.code == 0
    assert "5 frames written to seen/clip" in said.err
    assert {name.split("/")[0] for name in find_files("seen")} == {"clip"}


def test_every_third_frame_keeps_the_time_of_the_video(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_video(Path("clip.avi"), [fill(RED if i % 3 == 0 else BLACK) for i in range(12)], fps=12)
    assert atrous("infer", "road/1", "clip.avi", "--out", "seen", "--frame-masks", "--every", 3).code == 0
    assert read_masks(Path("seen/clip")) == {f"{i:06}_mask.png": 1 for i in (0, 3, 6, 9)}
    frames, fps = read_video(Path("seen/clip_overlay.mp4"))
    assert len(frames) / fps == pytest.approx(12 / 12)


def test_max_frames_ends_it(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_clip(Path("clip.avi"))
    said = atrous("infer", "road/1", "clip.avi", "--max-frames", 2, "--fps", 5)
    assert said.code == 0
    frames, fps = read_video(Path("predictions/clip_overlay.mp4"))
    assert (len(frames), fps) == (2, pytest.approx(5))


def test_a_video_is_known_by_its_content(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_clip(Path("clip.avi")).rename("camera 3")
    Path("photo").write_bytes(encode_squares([[RED]], extension=".jpg"))
    said = atrous("infer", "road/1", "camera 3", "photo", "--out", "seen")
    assert said.code == 0, said.err
    assert find_files("seen") == {"camera 3_overlay.mp4", "photo_mask.png", "photo_overlay.jpg"}


def test_an_mpeg_without_its_suffix_is_a_video_too(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_video(Path("clip.mpg"), [fill(RED)] * 3, fps=25, codec="PIM1").rename("clip")
    assert atrous("infer", "road/1", "clip", "--out", "seen").code == 0
    assert find_files("seen") == {"clip_overlay.mp4"}


def test_a_text_is_no_video(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    Path("notes.txt").write_text("A note.\n" * 100, encoding="utf-8")
    said = atrous("infer", "road/1", "notes.txt")
    assert said.code == 2
    assert said.error.startswith("notes.txt: the data is not a picture")


def test_a_video_lying_on_its_side_is_turned(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    image_HWC = fill(RED)
    image_HWC[:, 32:] = fill(GREEN)[:, 32:]
    lay_on_side(write_video(Path("clip.mp4"), [image_HWC] * 3, codec="mp4v"))
    assert atrous("infer", "road/1", "clip.mp4", "--frame-masks").code == 0
    mask_HW = cv2.imread("predictions/clip/000000_mask.png", cv2.IMREAD_UNCHANGED)
    assert mask_HW is not None
    np.testing.assert_array_equal(mask_HW[[16, 48]], np.repeat([[1], [2]], 48, axis=1))
    assert read_video(Path("predictions/clip_overlay.mp4"))[0][0].shape == (64, 48, 3)


def test_a_pace_that_no_camera_has_is_told_and_replaced(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    misstate_fps(write_clip(Path("clip.avi")))
    said = atrous("infer", "road/1", "clip.avi")
    assert said.code == 0
    assert "clip.avi: tells no frames a second; 25 are taken, --fps says another" in said.err
    assert read_video(Path("predictions/clip_overlay.mp4"))[1] == 25


@pytest.mark.parametrize("damage", ["empty", "text", "without its end"])
def test_what_is_no_video_is_named_and_the_good_ones_go_on(
    atrous: Callable[..., Said], home: Path, damage: str
) -> None:
    publish(home)
    # An MP4 has its index at the end.
    whole = write_video(Path("bad.mp4"), [fill(RED)] * 5, codec="mp4v").read_bytes()
    Path("bad.mp4").write_bytes({"empty": b"", "text": b"no video at all", "without its end": whole[:-400]}[damage])
    write_clip(Path("good.avi"))
    said = atrous("infer", "road/1", "bad.mp4", "good.avi", "--out", "seen")
    assert said.code == 2
    assert said.error.startswith("bad.mp4: is no video that can be read")
    assert find_files("seen") == {"good_overlay.mp4"}


def test_a_video_that_was_cut_off_is_told_and_its_frames_are_kept(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    rng = np.random.default_rng(0)
    whole = write_video(Path("clip.avi"), list(rng.integers(0, 256, (30, 48, 64, 3), dtype=np.uint8))).read_bytes()
    Path("clip.avi").write_bytes(whole[: len(whole) // 2])
    said = atrous("infer", "road/1", "clip.avi")
    assert said.code == 2
    assert "of the 30 frames that it announces; it was cut off" in said.error
    frames, _ = read_video(Path("predictions/clip_overlay.mp4"))
    assert f"{len(frames)} frames written" in said.err
    assert 10 <= len(frames) <= 20


def test_a_disk_that_refuses_leaves_a_video_that_plays_under_another_name(
    atrous: Callable[..., Said], home: Path
) -> None:
    publish(home)
    write_clip(Path("clip.avi"))
    Path("predictions/clip/000003_mask.png").mkdir(parents=True)
    said = atrous("infer", "road/1", "clip.avi", "--frame-masks")
    assert said.code == 2
    assert "3 frames written to predictions/clip_overlay.part.mp4" in said.err
    assert len(read_video(Path("predictions/clip_overlay.part.mp4"))[0]) == 3
    assert not Path("predictions/clip_overlay.mp4").exists()
    assert not list(Path("predictions/clip").glob("*.part"))


def test_a_finished_video_is_left_out_if_asked(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_clip(Path("clip.avi"))
    assert atrous("infer", "road/1", "clip.avi").code == 0
    before_ns = Path("predictions/clip_overlay.mp4").stat().st_mtime_ns
    said = atrous("infer", "road/1", "clip.avi", "--skip-existing")
    assert said.code == 0
    assert "clip.avi: was there already" in said.err
    assert Path("predictions/clip_overlay.mp4").stat().st_mtime_ns == before_ns
    # Its masks were not asked for before.
    assert atrous("infer", "road/1", "clip.avi", "--skip-existing", "--frame-masks").code == 0
    assert len(read_masks(Path("predictions/clip"))) == 5


def test_what_is_too_wide_for_one_codec_is_written_by_another(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_video(Path("wide.avi"), [fill(GREEN, (9000, 8))] * 2, codec="FFV1")
    assert atrous("infer", "road/1", "wide.avi").code == 0
    assert read_video(Path("predictions/wide_overlay.mp4"))[0][1].shape == (8, 9000, 3)


def test_a_size_that_no_codec_can_write_is_a_sentence(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    with stream(lambda: [fill(RED, (64, 1))] * 20) as address:
        said = atrous("infer", "road/1", address)
        assert said.code == 2
        assert "no video of 64x1 px" in said.error
        assert not find_files("predictions")
        assert atrous("infer", "road/1", address, "--only", "masks", "--max-frames", 1).code == 0


def test_masks_and_no_masks_is_a_contradiction(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    write_clip(Path("clip.avi"))
    said = atrous("infer", "road/1", "clip.avi", "--only", "overlays", "--frame-masks")
    assert said.code == 2
    assert "--frame-masks" in said.error


# Flicker


def test_a_flickering_class_becomes_steady_and_a_change_still_arrives(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    flickering = [STRONG_RED if i % 2 == 0 else WEAK_RED for i in range(12)]
    write_clip(Path("clip.avi"), (*flickering, *[BLUE] * 8))
    options = ("infer", "road/1", "clip.avi", "--only", "masks", "--threshold", 0)
    assert atrous(*options, "--out", "plain").code == 0
    assert list(read_masks(Path("plain/clip")).values()) == [1, 0] * 6 + [3] * 8
    assert atrous(*options, "--out", "smooth", "--smooth", 0.7).code == 0
    smooth = list(read_masks(Path("smooth/clip")).values())
    assert smooth[:12] == [1] * 12
    assert smooth[15:] == [3] * 5


# Streams


def test_a_stream_is_written_until_it_has_enough_frames(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)

    def show() -> Iterator[NDArray[np.uint8]]:
        while True:
            yield fill(GREEN)

    with stream(show) as address:
        secret = address.replace("http://", "http://me:hunter2@")
        said = atrous("infer", "road/1", f"{secret}?key=hunter2", "--max-frames", 3, "--out", "seen", "--frame-masks")
    assert said.code == 0, said.err
    assert "hunter2" not in said.err
    (name,) = {path.name for path in Path("seen").glob("*.mp4")}
    assert name.startswith("127.0.0.1_")
    assert set(read_masks(Path("seen") / name.removesuffix("_overlay.mp4")).values()) == {2}


def test_a_stream_that_breaks_off_leaves_a_video_that_plays(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    with stream(lambda: [fill(RED)] * 20) as address:
        said = atrous("infer", "road/1", address, "--out", "seen")
    assert said.code == 6
    assert "the stream broke off after" in said.error
    (path,) = Path("seen").iterdir()
    assert path.name.endswith("camera_overlay.mp4")
    # Those that came too quickly are made up for by the frame before them.
    assert 1 <= len(read_video(path)[0]) <= 20


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Have Ctrl-C do what it does in a terminal; processes that run tests side by side ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_stream_that_a_person_ends_leaves_a_video_that_plays(
    atrous: Callable[..., Said], home: Path, sent: signal.Signals
) -> None:
    publish(home)

    def show() -> Iterator[NDArray[np.uint8]]:
        until_s = time.monotonic() + 60
        while len(list(Path().glob("seen/*/*_mask.png"))) < 3 and time.monotonic() < until_s:
            yield fill(RED)
        os.kill(os.getpid(), sent)
        # A signal that is not heeded fails the test by the stream's end.
        while time.monotonic() < until_s:
            yield fill(RED)

    with stream(show) as address:
        said = atrous("infer", "road/1", address, "--out", "seen", "--frame-masks")
    assert said.code == 130
    (path,) = Path("seen").glob("*.mp4")
    assert path.name.endswith("camera_overlay.mp4")
    masks = len(list(Path().glob("seen/*/*_mask.png")))
    assert f": {masks} frames written to {path}" in said.err
    assert len(read_video(path)[0]) >= masks >= 3


def test_a_stream_that_is_not_there_is_a_sentence(atrous: Callable[..., Said], home: Path) -> None:
    publish(home)
    said = atrous("infer", "road/1", "http://me:hunter2@127.0.0.1:9/camera")
    assert said.code == 6
    assert said.error.startswith("http://127.0.0.1:9/camera: no video comes from there")
    assert "hunter2" not in said.err


# From a server


def test_a_server_sees_the_frames_in_their_order(
    atrous: Callable[..., Said], server: Server, served_home: Path
) -> None:
    key = create_key(open_home(served_home), "main", "tests")[1]
    write_clip(Path("clip.avi"))
    said = atrous("infer", "road/1", "clip.avi", "--frame-masks", "--api-url", server.url, "--api-key", key)
    assert said.code == 0, said.err
    assert list(read_masks(Path("predictions/clip")).values()) == IDS
    assert len(read_video(Path("predictions/clip_overlay.mp4"))[0]) == 5


def test_smoothing_is_not_asked_of_a_server(atrous: Callable[..., Said]) -> None:
    write_clip(Path("clip.avi"))
    said = atrous("infer", "road/1", "clip.avi", "--smooth", 0.5, "--api-url", "http://127.0.0.1:9")
    assert said.code == 2
    assert said.error.startswith("--smooth: ")
