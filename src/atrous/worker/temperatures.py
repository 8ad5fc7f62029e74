"""The temperature of a model, found on its valid pictures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atrous.datasets.content import load_sample
from atrous.evaluation.temperature import fit_temperature
from atrous.runtime.points import draw_points, score_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.datasets.content import Sample
    from atrous.evaluation.temperature import Temperature
    from atrous.runtime.engine import Engine

SEED = 0
MOST_PICTURES = 200
MOST_PIXELS = 100_000
# Of logits held at a time, however many classes there are: 16 MB.
MOST_LOGITS = 4_000_000


def find_temperature(engine: Engine, samples: Sequence[Sample]) -> Temperature | None:
    """Find what to divide a model's logits by; None if no picture has labelled pixels that the network sees.

    Up to 100,000 pixels are drawn, as many from each of up to 200 pictures, the same ones each time.

    Args:
        engine: without a temperature.
        samples: labelled pictures that the model was not trained on.
    """
    if not samples:
        return None
    rng = np.random.default_rng(SEED)
    chosen: list[int] = rng.permutation(len(samples))[:MOST_PICTURES].tolist()
    pixels = min(MOST_PIXELS, MOST_LOGITS // len(engine.bundle.class_map)) // len(chosen)
    drawn = [_draw_pixels(engine, samples[index], max(1, pixels), rng) for index in sorted(chosen)]
    return fit_temperature(np.concatenate([logits for logits, _ in drawn]), np.concatenate([ids for _, ids in drawn]))


def _draw_pixels(
    engine: Engine, sample: Sample, pixels: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """logits_NK and label_N of some pixels that are labelled and seen."""
    image_HWC, label_HW = load_sample(sample, auto_orient=engine.bundle.preprocessing.auto_orient)
    score = partial(score_points, engine, image_HWC, skipped=sample.steps_done)
    return draw_points(label_HW, pixels, rng, score)
