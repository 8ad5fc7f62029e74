"""From logits to pixels: the server's kernel beside the plain way, softmax of every class at the picture's size.

usage: python -m benchmarks.decode [--classes K ...] [--size WxH ...] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.preprocessing import Preprocessing, place_picture
from atrous.core.sizes import Size, parse_size
from atrous.runtime.crew import ALONE, Crew
from atrous.runtime.decode import decode_answer
from benchmarks.options import make_parser, run_benchmark
from benchmarks.photographs import SIZES
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result
from benchmarks.times import Watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from atrous.runtime.decode import Answer
    from benchmarks.results import Row

CLASSES = (2, 12, 21, 150)
NETWORK = Size(height=512, width=512)
STRIDE = 4
WAYS = ("kernel_1_thread", "kernel", "plain")
THRESHOLD = 0.4
# Of drawn logits, so that most pixels are certain and rims are not, as in a trained network's.
CONTRAST = 12.0
BLOBS = 12
FLOAT_BYTES, GIB = 4, 2**30

Pixels = tuple["NDArray[np.uint8]", "NDArray[np.uint8]"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("decode", __doc__)
    parser.add_argument("--classes", type=int, nargs="+", default=list(CLASSES), help="[default: 2 12 21 150]")
    parser.add_argument("--size", type=parse_size, nargs="+", default=list(SIZES), help="of the picture")
    parser.add_argument("--repeat", type=int, default=5, help="counted rounds [default: 5]")
    parser.add_argument(
        "--max-gib", type=float, default=6, help="leave out the plain way where its arrays take more [default: 6]"
    )
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, _: Path) -> None:
    """Time every number of classes at every size."""
    machine = describe_machine()
    setting = {"network": str(NETWORK), "stride": STRIDE, "rounds": given.repeat, "confidence": THRESHOLD}
    print_setting(machine, setting)
    crew = Crew(max(0, (os.cpu_count() or 1) - 1))
    rows = [
        time_case(draw_logits(classes), size, crew, repeat=max(1, given.repeat), max_bytes=given.max_gib * GIB)
        for classes in given.classes
        for size in given.size
    ]
    print_rows(rows)
    save_result(make_result("decode", setting, rows, machine), given.json)


def time_case(logits_Khw: NDArray[np.float32], size: Size, crew: Crew, *, repeat: int, max_bytes: float) -> Row:
    """A row: the kernel on one thread and on all, the plain way, and how they agree; None for what was left out."""
    placement = place_picture(size, Preprocessing(size=NETWORK))
    ways: dict[str, Callable[[], Pixels]] = {
        "kernel_1_thread": lambda: _as_pixels(decode_answer(logits_Khw, placement, THRESHOLD, ALONE)),
        "kernel": lambda: _as_pixels(decode_answer(logits_Khw, placement, THRESHOLD, crew)),
    }
    # Scores and their exponentials are held at the same time.
    if 2 * FLOAT_BYTES * len(logits_Khw) * size.pixels <= max_bytes:
        ways["plain"] = lambda: decode_plainly(logits_Khw, size)
    watch, pixels = Watch(), {name: way() for name, way in ways.items()}
    for _ in range(repeat):
        for name, way in ways.items():
            with watch.time(name):
                way()
    is_compared = "plain" in ways
    times_ms = {f"{name}_ms": watch.median_ms(name) if name in ways else None for name in WAYS}
    return {
        "classes": len(logits_Khw),
        "photograph": str(size),
        **times_ms,
        "gain": watch.median_ms("plain") / watch.median_ms("kernel") if is_compared else None,
        "other_label_ppm": _differ_ppm(pixels["kernel"], pixels["plain"]) if is_compared else None,
    }


def decode_plainly(logits_Khw: NDArray[np.float32], size: Size) -> Pixels:
    """Class ids and levels of confidence, every class at full size."""
    scores_KHW = np.stack(
        [cv2.resize(plane_hw, (size.width, size.height), interpolation=cv2.INTER_LINEAR) for plane_hw in logits_Khw]
    )
    scores_KHW -= scores_KHW.max(axis=0)
    shares_KHW = np.exp(scores_KHW)
    shares_KHW /= shares_KHW.sum(axis=0)
    mask_HW = shares_KHW.argmax(axis=0).astype(np.uint8)
    confidence_HW = shares_KHW.max(axis=0)
    is_below_HW = confidence_HW < THRESHOLD
    mask_HW[is_below_HW] = 0
    confidence_HW[is_below_HW] = 0
    return mask_HW, (confidence_HW * 255).astype(np.uint8)


def draw_logits(classes: int) -> NDArray[np.float32]:
    """Smooth scores that leave a few large regions, at the network's output."""
    random = np.random.default_rng(classes)
    side = NETWORK.width // STRIDE
    coarse_Kyx = random.normal(0, CONTRAST, (classes, BLOBS, BLOBS)).astype(np.float32)
    return np.stack([cv2.resize(plane, (side, side), interpolation=cv2.INTER_CUBIC) for plane in coarse_Kyx])


def _as_pixels(answer: Answer) -> Pixels:
    return answer.mask_HW, answer.levels_HW


def _differ_ppm(one: Pixels, other: Pixels) -> float:
    return 1e6 * float(np.mean(one[0] != other[0]))


if __name__ == "__main__":
    sys.exit(main())
