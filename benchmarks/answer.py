"""How long an answer takes, stage by stage and over HTTP, beside the bare network pass.

usage: python -m benchmarks.answer [--bundle DIR] [--image FILE ...] [--precision fp32 int8] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import onnxruntime

from atrous.bundle.picture import decode_picture
from atrous.bundle.preprocessing import fit_image, normalise
from atrous.runtime.crew import Crew
from atrous.runtime.loading import EngineOptions, load_engine
from atrous.runtime.stages import Stage, Stages
from atrous.server.answer import Wish, answer_picture, encode_json
from atrous.server.confidence import DEFAULT
from atrous.server.loaded_model import LoadedModel
from atrous.server.settings import Settings
from atrous.workspace.records import Model
from benchmarks.callers import Caller, encode_body, read_answer
from benchmarks.models import PROJECT, choose_bundle, describe_bundle
from benchmarks.options import add_bundle, add_engine, add_images, make_parser, run_benchmark
from benchmarks.photographs import read_photographs
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.serving import publish_bundle, serve
from benchmarks.times import Watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atrous.bundle.bundle import Bundle
    from benchmarks.photographs import Photograph
    from benchmarks.results import Row

ANSWER, BARE, HTTP = "answer", "bare", "http"
WARM_UP, SETTLE_S = 2, 0.02
WISH = Wish(threshold=DEFAULT, max_pixels=Settings().max_pixels)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to serve the bundle: the engine in this process, and a server that answers by the same weights."""

    loaded: LoadedModel
    caller: Caller


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("answer", __doc__)
    add_bundle(parser)
    add_images(parser)
    add_engine(parser, precisions=["auto"])
    parser.add_argument("--repeat", type=int, default=15, help="counted rounds per picture [default: 15]")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """Time every picture with every precision; all take turns, so that a drift of the machine hits all alike."""
    machine, photographs = describe_machine(), read_photographs(given.image)
    bundle = choose_bundle(given.bundle, scratch)
    setting = describe_bundle(bundle) | {"rounds": given.repeat, "clients": 1, "confidence": WISH.threshold}
    print_setting(machine, setting)
    choices = [EngineOptions(precision=precision, backend=given.backend) for precision in given.precision]
    with ExitStack() as stack:
        variants = [
            _open_variant(bundle, photographs[0], options, scratch / options.precision, stack) for options in choices
        ]
        rows = [
            row
            for photograph in photographs
            for row in time_photograph(bundle, variants, photograph, repeat=max(1, given.repeat))
        ]
    print_rows(rows)
    save_result(make_result("answer", setting, rows, machine), given.json)


def time_photograph(bundle: Bundle, variants: Sequence[Variant], photograph: Photograph, *, repeat: int) -> list[Row]:
    """A row for each variant."""
    bare = open_bare_pass(bundle, photograph)
    for _ in range(WARM_UP):
        _run_round(bare, variants, photograph, [Watch() for _ in variants])
    watches = [Watch() for _ in variants]
    for _ in range(repeat):
        _run_round(bare, variants, photograph, watches)
    return [_make_row(photograph, variant, watch) for variant, watch in zip(variants, watches, strict=True)]


def _run_round(
    bare: Callable[[], object], variants: Sequence[Variant], photograph: Photograph, watches: Sequence[Watch]
) -> None:
    body, bare_watch = encode_body(photograph), Watch()
    with bare_watch.time(BARE):
        bare()
    # By default the threads of ONNX Runtime spin for a while, which would cost whoever comes next.
    time.sleep(SETTLE_S)
    for variant, watch in zip(variants, watches, strict=True):
        watch.add(BARE, bare_watch.median_ms(BARE) / 1000)
        _time_answer(variant.loaded, photograph.data, watch)
        watch.add(HTTP, variant.caller.ask_idle(body).seconds)


def open_bare_pass(bundle: Bundle, photograph: Photograph) -> Callable[[], object]:
    """The fp32 network on an input that is ready, in ONNX Runtime as it is by default, all cores: the yardstick."""
    session: Any = cast("Any", onnxruntime).InferenceSession(
        str(bundle.weights_onnx), providers=["CPUExecutionProvider"]
    )
    image_HWC = decode_picture(photograph.data, auto_orient=bundle.preprocessing.auto_orient)
    input_BCHW = normalise(fit_image(image_HWC, bundle.preprocessing), bundle.preprocessing)[None]
    feed = {session.get_inputs()[0].name: input_BCHW}
    return lambda: session.run(None, feed)


def _time_answer(loaded: LoadedModel, data: bytes, watch: Watch) -> None:
    stages = Stages()
    with watch.time(ANSWER):
        reply = answer_picture(loaded, data, WISH, stages)
        with stages.time(Stage.JSON):
            encode_json(reply)
    for stage in Stage:
        watch.add(stage, stages.seconds.get(stage, 0.0))


def _open_variant(
    bundle: Bundle, photograph: Photograph, options: EngineOptions, home: Path, stack: ExitStack
) -> Variant:
    publish_bundle(bundle.folder, home)
    server = stack.enter_context(serve(home, ATROUS_PRECISION=options.precision, ATROUS_BACKEND=options.backend))
    caller = stack.enter_context(Caller(server.model_url))
    # Where the server had the choice, this process takes what it chose.
    told = read_answer(caller, photograph)["resolved_model"]
    chosen = EngineOptions(precision=told["quantization"], backend=told["backend"])
    engine = load_engine(bundle.folder, chosen, Crew(max(0, (os.cpu_count() or 1) - 1)))
    model = Model("bench", "bench", PROJECT, 1, "bench", datetime.now(UTC))
    return Variant(LoadedModel(model, engine, load_time_s=0.0), caller)


def _make_row(photograph: Photograph, variant: Variant, watch: Watch) -> Row:
    engine = variant.loaded.engine
    return {
        "photograph": photograph.name,
        "precision": engine.quantization,
        "backend": engine.backend,
        **{f"{name}_ms": watch.median_ms(name) for name in (*Stage, ANSWER, BARE, HTTP)},
        "http_per_bare": watch.median_ms(HTTP) / watch.median_ms(BARE),
    }


if __name__ == "__main__":
    sys.exit(main())
