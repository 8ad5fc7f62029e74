from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fakes.bundles import make_bundle

from atrous.bundle.preprocessing import Fit
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.sizes import Size
from atrous.runtime.loading import REPRODUCIBLE, load_engine
from atrous.runtime.points import score_points

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "steps",
    [
        {"fit": Fit.STRETCH},
        {"fit": Fit.LETTERBOX_GREY},
        {"fit": Fit.CENTER_CROP},
        {"crop": StaticCrop(20, 10, 90, 80)},
        {"tiles": Tiles(2, 3)},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [Size(height=50, width=170), Size(height=31, width=40)], ids=str)
def test_points_have_the_winner_and_confidence_that_are_predicted_there(
    tmp_path: Path, steps: dict[str, object], size: Size
) -> None:
    engine = load_engine(make_bundle(tmp_path / "colours", **steps), REPRODUCIBLE)
    image_HWC = RNG.integers(0, 256, (size.height, size.width, 3), np.uint8)
    predicted = engine.predict(image_HWC)
    rows_N, columns_N = (places.ravel() for places in np.indices((size.height, size.width)))
    logits_NK = score_points(engine, image_HWC, rows_N, columns_N)
    is_seen_N = ~np.isnan(logits_NK).any(axis=1)
    assert (is_seen_N == (predicted.confidence_HW.ravel() > 0)).all()
    seen_NK = logits_NK[is_seen_N].astype(float)
    confidence_N = np.exp(seen_NK.max(axis=1)) / np.exp(seen_NK).sum(axis=1)
    np.testing.assert_allclose(confidence_N, predicted.confidence_HW.ravel()[is_seen_N], atol=1e-4)
    is_clear_N = np.sort(seen_NK)[:, -1] - np.sort(seen_NK)[:, -2] > 1e-3
    winners_N = predicted.mask_HW.ravel()[is_seen_N]
    assert (seen_NK.argmax(axis=1) == winners_N)[is_clear_N].all()
