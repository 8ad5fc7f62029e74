"""How quick a model's networks are on this machine."""

from __future__ import annotations

import logging
import platform
import time
from statistics import median
from typing import TYPE_CHECKING

from atrous.bundle.bundle import open_bundle
from atrous.core.cores import count_cores
from atrous.core.errors import AtrousError
from atrous.datasets.content import load_sample
from atrous.evaluation.about import Speed
from atrous.runtime.loading import FP32, INT8, EngineOptions, load_engine

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from atrous.datasets.content import Sample
    from atrous.runtime.engine import Engine
    from atrous.runtime.tiling import Tiling

MOST_PICTURES = 20
# For each network; large pictures in many tiles would take minutes.
MOST_SECONDS = 5.0

logger = logging.getLogger(__name__)


def measure_speeds(
    bundle: Path, samples: Sequence[Sample], *, threshold: float, tiling: Tiling | None = None
) -> tuple[Speed, ...]:
    """Time a bundle's networks as a server would run them, on the first few pictures.

    A network that cannot be run here is left out, as no score depends on it.

    Raises:
        InvalidBundleError: if the bundle does not verify.
    """
    precisions = [FP32, INT8] if open_bundle(bundle).weights_int8_onnx else [FP32]
    found = (_measure(bundle, precision, samples, threshold, tiling) for precision in precisions)
    return tuple(speed for speed in found if speed)


def _measure(
    bundle: Path, precision: str, samples: Sequence[Sample], threshold: float, tiling: Tiling | None
) -> Speed | None:
    try:
        engine = load_engine(bundle, EngineOptions(precision=precision))
        times_ms = list(_time_answers(engine, samples, threshold, tiling))
    except AtrousError as error:
        logger.warning("%s in %s: not timed (%s)", bundle.name, precision, error)
        return None
    machine = f"{platform.machine()} with {count_cores()} cores"
    return Speed(precision, engine.backend, median(times_ms), len(times_ms), machine)


def _time_answers(
    engine: Engine, samples: Sequence[Sample], threshold: float, tiling: Tiling | None
) -> Generator[float]:
    ends_s = time.perf_counter() + MOST_SECONDS
    for sample in samples[:MOST_PICTURES]:
        image_HWC, _ = load_sample(sample, auto_orient=engine.bundle.preprocessing.auto_orient)
        started_s = time.perf_counter()
        engine.answer(image_HWC, threshold, sample.steps_done, tiling=tiling)
        ended_s = time.perf_counter()
        yield (ended_s - started_s) * 1000
        if ended_s > ends_s:
            return
