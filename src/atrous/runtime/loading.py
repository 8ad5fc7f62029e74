"""A bundle's folder -> an engine that answers at full speed from its first picture on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.bundle import Bundle, open_bundle
from atrous.bundle.preprocessing import TILE_STEPS
from atrous.core.cores import count_cores
from atrous.core.errors import AtrousError, InvalidBundleError, InvalidInputError, MissingExtraError
from atrous.runtime.backends import BACKENDS
from atrous.runtime.batches import Batches
from atrous.runtime.contest import Way, find_quickest, make_probe
from atrous.runtime.crew import ALONE, Crew
from atrous.runtime.engine import Engine
from atrous.runtime.footprint import estimate_bytes
from atrous.runtime.gears import Gears
from atrous.runtime.tempering import Tempered

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.core.sizes import Size
    from atrous.runtime.backends import Network

logger = logging.getLogger(__name__)

AUTO, FP32, INT8 = "auto", "fp32", "int8"
PRECISIONS = (AUTO, FP32, INT8)
ONNX = "onnx"
BACKEND_CHOICES = (AUTO, *BACKENDS)
ANY_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a network is run.

    Attributes:
        threads: of one pass; 0 takes every core.
        precision: `fp32`, `int8`, or `auto` for int8 where the bundle has it and it is quicker on this machine.
        backend: one of `BACKENDS`, or `auto` for the quickest on this machine.
        max_batch: pictures of different callers that one pass may take; 1 runs each alone. Only for backends that join
            pictures, which OpenVINO does not.
        calibrated: whether logits are divided by the bundle's temperature, if it has one, so that confidence means what
            it says; classes stay the same.

    Raises:
        InvalidInputError: if there is no such precision or backend.
    """

    threads: int = 0
    precision: str = AUTO
    backend: str = AUTO
    max_batch: int = 1
    calibrated: bool = False

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("precision", self.precision, PRECISIONS),
            ("backend", self.backend, BACKEND_CHOICES),
        ):
            if value not in choices:
                raise InvalidInputError(f"{name} {value!r}: unknown; use one of {', '.join(choices)}")


QUICKEST = EngineOptions()
# Scores are compared over months and machines, so they come of one precision and one library.
REPRODUCIBLE = EngineOptions(precision=FP32, backend=ONNX)


def check_backend(backend: str) -> None:
    """Find out whether a backend can be had here; `auto` always can.

    Raises:
        MissingExtraError: if its library or device is missing.
    """
    if backend != AUTO:
        BACKENDS[backend].check()


def load_engine(folder: Path, options: EngineOptions = QUICKEST, crew: Crew = ALONE) -> Engine:
    """Verify a bundle, load its network the way that the options name, and let it answer once.

    Args:
        folder: the bundle.
        options: how its network is run.
        crew: threads that help with what is not the network's.

    Raises:
        InvalidBundleError: naming the file that is missing, altered or unusable.
        MissingExtraError: if the library or device of the backend is missing.
    """
    bundle = open_bundle(folder)
    threads = options.threads or count_cores()
    way, alone = _open_best(bundle, options, threads)
    size = bundle.preprocessing.size
    network, networks, passes = _put_to_work(alone, way, options, threads, size)
    if options.calibrated:
        network = _temper(network, bundle)
    engine = Engine(
        bundle,
        network,
        crew,
        backend=way.backend,
        quantization=way.quantization,
        memory_bytes=estimate_bytes(way.weights, size, networks=networks, passes=passes),
    )
    _warm_up(engine)
    return engine


def _open_best(bundle: Bundle, options: EngineOptions, threads: int) -> tuple[Way, Network]:
    def open_way(way: Way) -> Network:
        return BACKENDS[way.backend].open_network(way.weights, threads)

    ways = _list_ways(bundle, options)
    if len(ways) == 1:
        return ways[0], open_way(ways[0])
    judge = Way(ONNX, FP32, bundle.weights_onnx)
    best = find_quickest(ways, judge, open_way, bundle.preprocessing.size)
    return best.way, best.network


def _list_ways(bundle: Bundle, options: EngineOptions) -> list[Way]:
    """All that the options allow, what is sure before what is quick."""
    files = {FP32: bundle.weights_onnx}
    if bundle.weights_int8_onnx is not None:
        files[INT8] = bundle.weights_int8_onnx
    if options.precision not in {AUTO, *files}:
        raise InvalidBundleError(
            f"{bundle.folder.name}: has no int8 weights; choose precision auto or fp32, or train it again"
        )
    precisions = list(files) if options.precision == AUTO else [options.precision]
    if options.backend == AUTO:
        backends = [name for name in BACKENDS if _is_here(name)]
    else:
        check_backend(options.backend)
        backends = [options.backend]
    return [Way(backend, precision, files[precision]) for precision in precisions for backend in backends]


def _is_here(backend: str) -> bool:
    try:
        check_backend(backend)
    except MissingExtraError:
        return False
    return True


def _put_to_work(
    network: Network, way: Way, options: EngineOptions, threads: int, size: Size
) -> tuple[Network, int, int]:
    """Make an open network serve many callers; tell how many networks that takes, and passes side by side."""
    backend = BACKENDS[way.backend]
    if options.max_batch > 1 and backend.joins and _takes_pairs(network, size):
        return Batches(network, options.max_batch), 1, options.max_batch
    if backend.gears_from is None or threads < backend.gears_from:
        return network, 1, count_cores()
    return Gears(network, partial(backend.open_network, way.weights, 1), threads), 2, 1 + threads


def _temper(network: Network, bundle: Bundle) -> Network:
    temperature = bundle.manifest.temperature
    if temperature is None:
        logger.warning(
            "%s: has no temperature, so its confidence stays as it is; train or upload it again",
            bundle.folder.name,
        )
        return network
    return Tempered(network, temperature)


def _takes_pairs(network: Network, size: Size) -> bool:
    """Whether a network was exported for any number of pictures."""
    probe_BCHW = make_probe(size)
    try:
        logits_BKhw = network(np.concatenate([probe_BCHW, probe_BCHW]))
    except AtrousError as error:
        logger.warning("each picture is run alone: %s", error)
        return False
    return len(logits_BKhw) == 2


def _warm_up(engine: Engine) -> None:
    """Answer a blank picture, as the first one waits for memory and for the compiled kernel of the pixels."""
    size = engine.bundle.preprocessing.size
    engine.answer(np.zeros((size.height, size.width, 3), np.uint8), ANY_THRESHOLD, TILE_STEPS)
