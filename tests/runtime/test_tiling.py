"""Tiles: what a network sees of a large picture, and that nobody sees where they meet."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.bundle import open_bundle
from atrous.bundle.contrast import Contrast
from atrous.bundle.manifest import read_manifest, write_manifest
from atrous.bundle.preprocessing import Fit, Step
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.class_map import ClassMap
from atrous.core.errors import InvalidBundleError, InvalidInputError, TooLargeError
from atrous.core.sizes import Size
from atrous.runtime.crew import Crew
from atrous.runtime.engine import Engine
from atrous.runtime.stages import Stage, Stages
from atrous.runtime.tiling import MOST_TILES, Tiling, lay_tiles, parse_tiling, share_cells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.runtime.backends import Network

# Sums of float32 in another order.
NOISE = 2e-5
CLASSES = 4


def convolve(radius: int, stride: int) -> Network:
    """Blurred colours as scores of three classes beside a background, at a stride; padded with zeros, of any size."""

    def see(input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        side = 2 * radius + 1
        planes = [cv2.blur(plane, (side, side), borderType=cv2.BORDER_CONSTANT) for plane in input_BCHW[0]]
        scores_KHW = np.stack([np.full_like(planes[0], 0.1), *planes]) * 4
        classes, height, width = scores_KHW.shape
        cells = scores_KHW.reshape(classes, height // stride, stride, width // stride, stride)
        return cells.mean(axis=(2, 4), dtype=np.float32)[None]

    return see


class Place:
    """Makes engines around networks written in Python."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seen: list[NDArray[np.float32]] = []

    def engine(self, size: Size, network: Network, **options: Any) -> Engine:
        crew = options.pop("crew", Crew(0))
        trained_on: Size | None = options.pop("trained_on", None)
        folder = make_bundle(self._folder / str(len(list(self._folder.iterdir()))), size=size, **options)
        if trained_on is not None:
            told = {"picture_size": {"height": trained_on.height, "width": trained_on.width}}
            write_manifest(folder, replace(read_manifest(folder), recipe=told))

        def note(input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
            self.seen.append(input_BCHW)
            return network(input_BCHW)

        engine = Engine(open_bundle(folder), note, crew)
        # An engine tries its network once before it first lays tiles.
        engine.answer(smooth_noise(33, 32), 0, tiling=Tiling(32))
        self.seen.clear()
        return engine


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def smooth_noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Blots of colour, many of which cross any seam."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


# Seams


@pytest.mark.parametrize("crew", [0, 2])
@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize(
    ("tile_px", "overlap", "picture"),
    [
        (64, 0.5, Size(height=192, width=256)),
        (64, 0.25, Size(height=160, width=320)),
        (80, 0.5, Size(height=200, width=300)),
        (128, 0.5, Size(height=256, width=384)),
        (32, 0.5, Size(height=96, width=136)),
        (64, 0.8, Size(height=160, width=128)),
    ],
    ids=str,
)
def test_tiles_give_what_the_network_gives_for_the_whole_picture_at_that_scale(
    *, place: Place, tile_px: int, overlap: float, picture: Size, stride: int, crew: int
) -> None:
    scale = 64 / tile_px
    whole_size = Size(height=round(picture.height * scale), width=round(picture.width * scale))
    # What a cell depends on is no wider than half of the overlap.
    network = convolve(2 if overlap < 0.5 else 4, stride)
    tiled = place.engine(Size(height=64, width=64), network, crew=Crew(crew))
    whole = place.engine(whole_size, network)
    image_HWC = smooth_noise(picture.height, picture.width)
    expected, seen = whole.predict(image_HWC), tiled.predict(image_HWC, tiling=Tiling(tile_px, overlap))
    np.testing.assert_allclose(seen.confidence_HW, expected.confidence_HW, atol=NOISE)
    assert (seen.mask_HW != expected.mask_HW).mean() < 1e-3, "only ties may fall to another class"
    answer = tiled.answer(image_HWC, 0.5, tiling=Tiling(tile_px, overlap))
    expected_answer = whole.answer(image_HWC, 0.5)
    assert (answer.mask_HW != expected_answer.mask_HW).mean() < 1e-3
    assert np.abs(answer.levels_HW.astype(int) - expected_answer.levels_HW).max(initial=0, where=answer.mask_HW > 0) < 2


def test_without_overlap_seams_are_seen_and_the_other_tests_would_tell(place: Place) -> None:
    image_HWC = smooth_noise(192, 192)
    engine = place.engine(Size(height=64, width=64), convolve(4, 1))
    whole = place.engine(Size(height=192, width=192), convolve(4, 1))
    seen = engine.predict(image_HWC, tiling=Tiling(64, 0.0))
    difference_HW = np.abs(seen.confidence_HW - whole.predict(image_HWC).confidence_HW)
    assert len(place.seen) == 9 + 1
    assert difference_HW[60:68].max() > 0.05
    assert difference_HW[24:40, 24:40].max() < NOISE


@pytest.mark.parametrize("cells", [64, 16, 9, 7], ids="grid of {}".format)
@pytest.mark.parametrize("shape", [(65, 200), (500, 97), (129, 131), (33, 300), (64, 65)], ids=str)
def test_every_pixel_is_answered_whatever_the_picture_and_the_grid(
    place: Place, shape: tuple[int, int], cells: int
) -> None:
    """The network answers with its input's colours, so the classes lie where the colours are."""

    def shrink(input_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        small = [cv2.resize(plane, (cells, cells), interpolation=cv2.INTER_AREA) for plane in input_BCHW[0]]
        return np.stack([np.full_like(small[0], -9), *small])[None] * 9

    engine = place.engine(Size(height=64, width=64), shrink)
    image_HWC = np.zeros((*shape, 3), np.uint8)
    image_HWC[:, : shape[1] // 2, 2] = 255
    image_HWC[:, shape[1] // 2 :, 0] = 255
    mask_HW = engine.predict(image_HWC, tiling=Tiling(48)).mask_HW
    blurred_px = 48 // cells + 2
    assert (mask_HW[:, : shape[1] // 2 - blurred_px] == 1).all()
    assert (mask_HW[:, shape[1] // 2 + blurred_px :] == 3).all()


def test_shares_of_all_tiles_sum_to_one_in_every_cell() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        input_px = int(random.choice([64, 96, 100, 512, 513, 640]))
        cells = input_px // int(random.choice([1, 2, 4, 8]))
        length_px, side_px = int(random.integers(1, 3000)), int(random.integers(32, 1200))
        sizes = (Size(height=side, width=side) for side in (length_px, side_px, input_px, cells))
        try:
            axis = lay_tiles(*sizes, float(random.uniform(0, 0.9))).rows
        except TooLargeError:
            continue
        assert axis.cells / axis.unit_cells * axis.unit_px >= length_px
        total = np.zeros(axis.cells)
        for share in share_cells(axis):
            assert (share.weights > 0).all()
            total[share.first : share.last] += share.weights
        np.testing.assert_allclose(total, 1, atol=1e-6)


# What tiles show


def test_the_steps_of_a_model_are_judged_by_the_whole_picture(place: Place) -> None:
    size, whole_size = Size(height=64, width=64), Size(height=128, width=192)
    image_HWC = smooth_noise(128, 192) // 3
    image_HWC[:64, :64] //= 4
    for contrast in (None, *Contrast):
        for grayscale in (False, True):
            steps = {"contrast": contrast, "grayscale": grayscale}
            tiled, whole = (place.engine(side, convolve(0, 1), **steps) for side in (size, whole_size))
            seen, expected = tiled.predict(image_HWC, tiling=Tiling(64)), whole.predict(image_HWC)
            np.testing.assert_allclose(seen.confidence_HW, expected.confidence_HW, atol=NOISE, err_msg=str(steps))
            np.testing.assert_array_equal(seen.mask_HW, expected.mask_HW)


def test_what_a_crop_leaves_out_is_background(place: Place) -> None:
    steps = {"crop": StaticCrop(25, 0, 100, 50)}
    engine = place.engine(Size(height=64, width=64), convolve(0, 1), **steps)
    image_HWC = np.full((200, 400, 3), 255, np.uint8)
    for found in (
        engine.predict(image_HWC, tiling=Tiling(64)).mask_HW,
        engine.answer(image_HWC, 0.2, tiling=Tiling(64)).mask_HW,
    ):
        expected_HW = np.zeros((200, 400), np.uint8)
        expected_HW[:100, 100:] = 1
        np.testing.assert_array_equal(found > 0, expected_HW > 0)
    assert (engine.predict(image_HWC, {Step.STATIC_CROP}, Tiling(64)).mask_HW > 0).all()


@pytest.mark.parametrize(
    ("fit", "trained_on", "expected"),
    [
        (Fit.STRETCH, None, (64, 64)),
        (Fit.STRETCH, Size(height=72, width=96), (72, 96)),
        (Fit.LETTERBOX_BLACK, Size(height=72, width=96), (96, 96)),
        (Fit.CENTER_CROP, Size(height=72, width=96), (64, 64)),
    ],
)
def test_auto_takes_tiles_as_large_as_the_pictures_that_the_model_knows(
    place: Place, fit: Fit, trained_on: Size | None, expected: tuple[int, int]
) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1), fit=fit, trained_on=trained_on)
    height, width = 3 * expected[0], 4 * expected[1]
    engine.predict(smooth_noise(height, width), tiling=Tiling(overlap=0))
    assert len(place.seen) == 12


def test_auto_leaves_pictures_alone_that_are_not_clearly_larger(place: Place) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1))
    for height, width, passes in ((96, 96, 1), (64, 97, 2), (97, 30, 2), (20, 20, 1)):
        place.seen.clear()
        image_HWC = smooth_noise(height, width)
        engine.predict(image_HWC, tiling=Tiling())
        assert len(place.seen) == passes
        if passes == 1:
            plain = engine.predict(image_HWC)
            np.testing.assert_array_equal(engine.predict(image_HWC, tiling=Tiling()).mask_HW, plain.mask_HW)


def test_a_picture_no_larger_than_a_tile_is_seen_whole(place: Place) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1))
    for shape, passes in (((100, 100), 1), ((101, 100), 2)):
        place.seen.clear()
        engine.predict(smooth_noise(*shape), tiling=Tiling(100))
        assert len(place.seen) == passes


def test_a_model_of_tiles_keeps_its_own_grid_unless_a_size_is_named(place: Place) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1), tiles=Tiles(rows=1, columns=3))
    image_HWC = smooth_noise(128, 256)
    for tiling, passes in ((None, 3), (Tiling(), 3), (Tiling(64, 0.0), 8), (Tiling(400), 1)):
        place.seen.clear()
        engine.answer(image_HWC, 0.4, tiling=tiling)
        assert len(place.seen) == passes, tiling


def test_neighbours_see_the_same_pixels_where_they_overlap(place: Place) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1))
    engine.predict(smooth_noise(80, 120), tiling=Tiling(80, 0.5))
    left, right = place.seen
    # Only the outermost pixel of an input is resized without its neighbour.
    np.testing.assert_array_equal(left[..., 33:63], right[..., 1:31])


def test_stages_add_up_over_tiles_and_a_caller_may_stop_between_them(place: Place) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1))
    stages, calls = Stages(), 0

    def stop_at_third() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise TimeoutError

    image_HWC = smooth_noise(128, 128)
    with pytest.raises(TimeoutError):
        engine.answer(image_HWC, 0.4, stages=stages, tiling=Tiling(64), before_tile=stop_at_third)
    assert len(place.seen) == 2
    assert {Stage.PREPARE, Stage.PASS, Stage.PIXELS} <= stages.seconds.keys()


def test_memory_does_not_grow_with_the_classes_times_the_picture(tmp_path: Path) -> None:
    names = ClassMap(("background", *(f"class {number}" for number in range(1, 60)))).names
    folder = make_bundle(tmp_path / "many", class_names=names, size=Size(height=128, width=128))
    logits_BKhw = np.random.default_rng(0).normal(0, 20, (1, 60, 32, 32)).astype(np.float32)
    engine = Engine(open_bundle(folder), lambda _: logits_BKhw)
    image_HWC = np.zeros((2000, 3000, 3), np.uint8)
    engine.answer(image_HWC[:300, :300], 0.4, tiling=Tiling(128))
    tracemalloc.start()
    try:
        engine.answer(image_HWC, 0.4, tiling=Tiling(512))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Mask and levels are 12 MB; scores of all classes at the size of the picture would be 1440 MB, of the grid 9 MB.
    assert peak_bytes < 20_000_000


# What cannot be


@pytest.mark.parametrize(
    ("text", "expected"),
    [("off", None), ("auto", Tiling()), (" AUTO ", Tiling()), ("1024", Tiling(1024)), ("32", Tiling(32))],
)
def test_a_wish_is_a_word_or_a_number(text: str, expected: Tiling | None) -> None:
    assert parse_tiling(text) == expected


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: parse_tiling("large"), "write auto, off or the longer side"),
        (lambda: parse_tiling("-5"), "write auto, off"),
        (lambda: parse_tiling("1e3"), "write auto, off"),
        (lambda: parse_tiling("٣٢٣"), "write auto, off"),
        (lambda: parse_tiling(""), "write auto, off"),
        (lambda: parse_tiling("31"), "at least 32 pixels"),
        (lambda: parse_tiling("auto", 0.91), "a share from 0 to 0.9"),
        (lambda: parse_tiling("64", float("nan")), "a share from 0 to 0.9"),
        (lambda: parse_tiling("64", -0.1), "a share from 0 to 0.9"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        make()


def test_too_many_tiles_are_refused_before_any_is_seen(place: Place) -> None:
    engine = place.engine(Size(height=64, width=64), convolve(0, 1))
    with pytest.raises(TooLargeError, match=f"{MOST_TILES} are the limit; use a larger tile"):
        engine.predict(np.zeros((3000, 3000, 3), np.uint8), tiling=Tiling(32))
    assert not place.seen


def test_a_damaged_picture_size_is_named(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "damaged")
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    content["recipe"] = {"picture_size": {"height": 0, "width": "wide"}}
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidBundleError, match="picture_size"):
        assert open_bundle(folder).manifest.picture_size
