"""What a benchmark found: printed as a table, kept as JSON with all that it depends on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnxruntime

from atrous import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A column's name ends in its unit: `p50_ms`, `rss_mib`.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one benchmark.

    Attributes:
        benchmark: its name.
        day: when, such as 2026-01-31.
        machine: kind of processor, cores, load before the run, versions; nothing that tells whose it is.
        setting: model, rounds and whatever else was chosen.
        rows: what was measured.
    """

    benchmark: str
    day: str
    machine: dict[str, Any]
    setting: dict[str, Any]
    rows: list[Row]


def make_result(benchmark: str, setting: Mapping[str, Any], rows: Sequence[Row], machine: Mapping[str, Any]) -> Result:
    """Put a run together, with numbers of four digits or three places."""
    day = datetime.now(UTC).date().isoformat()
    return Result(benchmark, day, dict(machine), dict(setting), [_round(row) for row in rows])


def describe_machine() -> dict[str, Any]:
    """What the numbers depend on; asked for before a run, as the run itself is load."""
    return {
        "processor": _find_processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "atrous": __version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def save_result(result: Result, file: Path | None) -> None:
    """Write a run where the next person or `benchmarks.page` finds it; None writes nothing."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")


def read_result(file: Path) -> Result:
    """Give back what `save_result` wrote."""
    return Result(**json.loads(file.read_text(encoding="utf-8")))


def print_setting(machine: Mapping[str, Any], setting: Mapping[str, Any]) -> None:
    """What the numbers depend on, before the first of them."""
    for facts in (machine, setting):
        print(", ".join(f"{name} {value}" for name, value in facts.items() if value is not None))
    print(flush=True)


def print_rows(rows: Sequence[Row]) -> None:
    """A table for a terminal."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [write_heads(names), *([write_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print(flush=True)


def write_heads(names: Sequence[str]) -> list[str]:
    """Names of columns as people read them."""
    return [name.replace("_", " ") for name in names]


def write_cell(value: Any) -> str:
    """A number with the digits that mean something, a text as it is, a dash for nothing."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    for least, form in ((100, ",.0f"), (10, ".1f"), (0.1, ".2f")):
        if abs(value) >= least:
            return f"{value:{form}}"
    return f"{value:.2g}"


def _round(row: Row) -> Row:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()}


def _find_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
