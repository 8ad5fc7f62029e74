from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.regions import Tiles
from atrous.runtime.loading import load_engine
from atrous.runtime.smoothing import MovingAverage, SteadyEngine

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RNG = np.random.default_rng(0)


def draw_scores(size: tuple[int, int] = (4, 5)) -> NDArray[np.float32]:
    return RNG.normal(0, 5, (6, *size)).astype(np.float32)


def soften(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=0))
    return powers / powers.sum(axis=0)


def test_probabilities_are_averaged_and_not_scores() -> None:
    first, second, third = draw_scores(), draw_scores(), draw_scores()
    average = MovingAverage(0.75)
    for scores in (first, second):
        average.blend(scores)
    expected = 0.75 * (0.75 * soften(first) + 0.25 * soften(second)) + 0.25 * soften(third)
    np.testing.assert_allclose(np.exp(average.blend(third)), expected, rtol=1e-4, atol=1e-6)


def test_a_frame_is_not_changed_by_being_blended() -> None:
    scores = draw_scores()
    before = scores.copy()
    average = MovingAverage(0.5)
    average.blend(scores)
    average.blend(scores)
    np.testing.assert_array_equal(scores, before)


def test_a_frame_of_another_size_begins_anew() -> None:
    average = MovingAverage(0.9)
    average.blend(draw_scores())
    scores = draw_scores((7, 3))
    np.testing.assert_allclose(np.exp(average.blend(scores)), soften(scores), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tiles", [None, Tiles(2, 3)], ids=["whole", "tiles"])
def test_nothing_kept_is_the_answer_of_the_frame_alone(tmp_path: Path, tiles: Tiles | None) -> None:
    engine = load_engine(make_bundle(tmp_path / "bundle", tiles=tiles))
    steady = SteadyEngine(engine, 0.0)
    for _ in range(3):
        image_HWC = RNG.integers(0, 256, (90, 110, 3), dtype=np.uint8)
        plain, smooth = engine.answer(image_HWC, 0.4), steady.answer(image_HWC, 0.4)
        assert (plain.mask_HW == smooth.mask_HW).mean() > 0.999
        assert np.abs(plain.levels_HW.astype(int) - smooth.levels_HW)[plain.mask_HW == smooth.mask_HW].max() <= 1


def test_each_tile_has_an_average_of_its_own(tmp_path: Path) -> None:
    steady = SteadyEngine(load_engine(make_bundle(tmp_path / "bundle", tiles=Tiles(1, 2))), 0.9)
    image_HWC = np.zeros((64, 128, 3), np.uint8)
    image_HWC[:, :64, 2] = image_HWC[:, 64:, 0] = 255
    for _ in range(4):
        mask_HW = steady.answer(image_HWC, 0.4).mask_HW
    assert (mask_HW[:, :64] == 1).all()
    assert (mask_HW[:, 64:] == 3).all()
