"""How an engine goes through labelled pictures, each with the steps that were done to it already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from atrous.evaluation.evaluate import Tempered
from atrous.runtime import tempering
from atrous.runtime.glances import Glances, predict_glances

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atrous.datasets.content import Sample
    from atrous.runtime.decode import Prediction
    from atrous.runtime.engine import Engine
    from atrous.runtime.tiling import Tiling


def predict_in_turn(
    engine: Engine, samples: Sequence[Sample], tiling: Tiling | Glances | None = None
) -> Callable[[NDArray[np.uint8]], Prediction]:
    """A function that is called with the picture of each sample, in order."""
    in_turn = iter(samples)
    if isinstance(tiling, Glances):
        return lambda image_HWC: predict_glances(engine, image_HWC, tiling, next(in_turn).steps_done)
    return lambda image_HWC: engine.predict(image_HWC, next(in_turn).steps_done, tiling)


def predict_both_ways(
    engine: Engine, samples: Sequence[Sample], tiling: Tiling | Glances | None = None
) -> tuple[Callable[[NDArray[np.uint8]], Prediction], Tempered | None]:
    """As `predict_in_turn`, and beside it the same at the bundle's temperature, None if it has none.

    Asked about the same picture one after the other, both together cost one pass where a picture is seen whole.
    """
    temperature = engine.bundle.manifest.temperature
    if temperature is None:
        return predict_in_turn(engine, samples, tiling), None
    plain = engine.see_through(tempering.Recent)
    tempered = plain.see_through(partial(tempering.Tempered, temperature=temperature))
    return (
        predict_in_turn(plain, samples, tiling),
        Tempered(temperature, predict_in_turn(tempered, samples, tiling)),
    )
