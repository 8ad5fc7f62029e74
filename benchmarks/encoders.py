"""What each encoder costs in a DeepLabv3+: weights, multiplications, time of a pass in fp32 and int8, memory.

usage: python -m benchmarks.encoders [--encoder NAME ...] [--no-speed] [--accuracy FILE] [--json FILE] [--page [FILE]]

Weights are random, which changes neither; accuracy comes from a JSON object of mIoU, 0 to 1, by encoder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from atrous.bundle.preprocessing import Preprocessing, normalise
from atrous.core.errors import InvalidInputError, MissingExtraError
from atrous.core.sizes import Size
from atrous.export.onnx import export_onnx
from atrous.export.quantise import calibrate, quantise
from atrous.models.architectures import build_network
from atrous.models.sizes import SIZES
from atrous.runtime.backends import BACKENDS
from atrous.worker.drawn_pictures import draw_pictures
from benchmarks.options import make_parser, run_benchmark
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from atrous.models.architectures import SegmentationNetwork
    from benchmarks.results import Result, Row

ARCHITECTURE = "deeplabv3plus"
CLASSES = 12
INPUT = Size(height=512, width=512)
ENCODERS = (
    "tu-mobilenetv3_small_100",
    "mobilenet_v2",
    "tu-mobilenetv3_large_100",
    "efficientnet-b0",
    "efficientnet-b3",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
)
CALIBRATION_PICTURES = 4
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "encoders.md"
MARKER = "<!-- What follows is written by `python -m benchmarks.encoders`. -->"
LETTERS = {size.encoder: letter for letter, size in SIZES.items()}
HEADINGS = {
    "encoder": "encoder",
    "size": "size",
    "parameters_m": "parameters, M",
    "gmacs": "multiplications, G",
    "miou": "mIoU",
    **{
        f"{precision}_{backend}_ms": f"{precision} {title}, ms"
        for precision in ("fp32", "int8")
        for backend, title in (("onnx", "ONNX Runtime"), ("openvino", "OpenVINO"))
    },
    "peak_mib": "memory, MiB",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep; give the exit status."""
    parser = make_parser("encoders", __doc__)
    parser.add_argument("--encoder", nargs="+", default=list(ENCODERS), help=f"[default: {' '.join(ENCODERS)}]")
    parser.add_argument("--no-speed", action="store_true", help="count weights and multiplications alone")
    parser.add_argument("--rounds", type=int, default=20, help="passes of which the median is shown [default: 20]")
    parser.add_argument("--accuracy", type=Path, metavar="FILE", help="JSON object: mIoU, 0 to 1, by encoder")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE, help="also write the table into this page")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, scratch: Path) -> None:
    """Measure one encoder after the other."""
    machine = describe_machine()
    setting = {"architecture": ARCHITECTURE, "classes": CLASSES, "input": str(INPUT), "rounds": given.rounds}
    print_setting(machine, setting)
    scores = read_scores(given.accuracy) if given.accuracy else {}
    rows: list[Row] = []
    for encoder in given.encoder:
        torch.manual_seed(0)
        network = build_network(ARCHITECTURE, encoder, CLASSES).eval()
        row: Row = {"encoder": encoder, "size": LETTERS.get(encoder, "")} | count_costs(network)
        if encoder in scores:
            row["miou"] = scores[encoder]
        if not given.no_speed:
            row |= time_passes(network, scratch, given.rounds)
        rows.append(row)
    print_rows(rows)
    result = make_result("encoders", setting, rows, machine)
    save_result(result, given.json)
    if given.page:
        given.page.write_text(write_page(given.page.read_text(encoding="utf-8"), result), encoding="utf-8")


def read_scores(path: Path) -> dict[str, float]:
    """MIoU by encoder.

    Raises:
        InvalidInputError: if the file holds anything else.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(encoder): float(miou) for encoder, miou in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"{path}: must be a JSON object of mIoU by encoder") from error


def count_costs(network: SegmentationNetwork) -> Row:
    """Millions of parameters, and billions of multiplications of a pass."""
    parameters = sum(weight.numel() for weight in network.parameters())
    return {"parameters_m": parameters / 1e6, "gmacs": count_multiplications(network) / 1e9}


def count_multiplications(network: SegmentationNetwork) -> int:
    """Of all convolutions and matrix products in a pass of one picture."""
    total = 0

    def add(layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        # Each value of an output is made of one product per weight of its channel.
        total += output.numel() * weight[0].numel()

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    with torch.inference_mode():
        network(torch.zeros(1, 3, INPUT.height, INPUT.width))
    for hook in hooks:
        hook.remove()
    return total


def time_passes(network: SegmentationNetwork, scratch: Path, rounds: int) -> Row:
    """Milliseconds of a pass by precision and library, and the memory of the process in fp32 with the first one."""
    files = {"fp32": scratch / "fp32.onnx", "int8": scratch / "int8.onnx"}
    export_onnx(network, INPUT, files["fp32"])
    calibrated = calibrate(files["fp32"], _read_inputs())
    quantise(calibrated, files["int8"], [node.name for node in calibrated.input_nodes])
    row: Row = {}
    for precision, file in files.items():
        for backend in _list_backends():
            told = _run_passes(file, backend, rounds)
            row[f"{precision}_{backend}_ms"] = told["ms"]
            row.setdefault("peak_mib", told["peak_mib"])
    return row


def write_page(page: str, result: Result) -> str:
    """The page with the table of a result in place of what followed the marker."""
    head, found, _ = page.partition(MARKER)
    if not found:
        raise InvalidInputError(f"the page has no line {MARKER}; give one that has")
    return f"{head}{MARKER}\n\n{describe_run(result)}\n\n{make_table(result.rows)}\n"


def describe_run(result: Result) -> str:
    """Where and how it was measured."""
    setting = result.setting
    told = f"{setting['architecture']}, {setting['classes']} classes, {setting['input']}; {result.day}"
    if not any("fp32_onnx_ms" in row for row in result.rows):
        return f"{told}."
    machine = result.machine
    return f"{told}, {machine['processor']}, {machine['cores']} cores, median of {setting['rounds']} passes."


def make_table(rows: Sequence[Row]) -> str:
    """In Markdown, with the columns that any row has."""
    columns = [name for name in HEADINGS if any(name in row for row in rows)]
    lines = [[HEADINGS[name] for name in columns], ["---", "---", *["--:"] * (len(columns) - 2)]]
    lines += [[_show(row, name) for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _show(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, "")
    if name == "encoder":
        return f"`{value}`"
    if name == "miou" and value != "":
        return f"{100 * value:.1f} %"
    if name == "peak_mib" and value != "":
        return f"{value:.0f}"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _list_backends() -> list[str]:
    names: list[str] = []
    for name, backend in BACKENDS.items():
        try:
            backend.check()
        except MissingExtraError:
            continue
        names.append(name)
    return names


def _read_inputs() -> Generator[NDArray[np.float32]]:
    preprocessing = Preprocessing(INPUT)
    for image_HWC in draw_pictures(INPUT, CALIBRATION_PICTURES):
        yield normalise(image_HWC, preprocessing)


def _run_passes(weights: Path, backend: str, rounds: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.passes", str(weights), "--backend", backend]
    command += ["--size", str(INPUT), "--rounds", str(rounds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
