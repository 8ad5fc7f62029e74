"""Bare passes of one network in a process of its own, which shows what memory they take.

usage: python -m benchmarks.passes WEIGHTS --backend NAME [--size WIDTHxHEIGHT] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.cores import count_cores
from atrous.core.sizes import parse_size
from atrous.runtime.backends import BACKENDS
from benchmarks.serving import read_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_UP_ROUNDS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the median time and the peak of memory as JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.passes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--backend", choices=tuple(BACKENDS), required=True)
    parser.add_argument("--size", type=parse_size, default=parse_size("512x512"))
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args(arguments)
    network = BACKENDS[given.backend].open_network(given.weights, count_cores())
    input_BCHW = np.random.default_rng(0).normal(size=(1, 3, given.size.height, given.size.width)).astype(np.float32)
    times_ms: list[float] = []
    for _ in range(WARM_UP_ROUNDS + given.rounds):
        began_s = time.perf_counter()
        network(input_BCHW)
        times_ms.append(1000 * (time.perf_counter() - began_s))
    # Not `getrusage`, whose peak is at first that of the process which started this one.
    peak_mib = read_memory(os.getpid()).peak_mib
    print(json.dumps({"ms": statistics.median(times_ms[WARM_UP_ROUNDS:]), "peak_mib": peak_mib}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
