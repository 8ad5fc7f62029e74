"""Pictures per second of a training beside those of a bare loop on tensors in memory, in turns.

usage: python -m benchmarks.training [--encoder NAME] [--size WxH] [--batch-size N] [--pictures N] [--rounds N]
       [--image-size WxH] [--device NAME] [--precision NAME] [--workers N] [--compile] [--json FILE]

The bare loop is forward, loss, backward and the optimiser's step. Of the training, an epoch counts without validation;
the first epoch, which decodes the pictures, is a row of its own. On a CPU that others use too, look at the share of the
processor's time, with OMP_NUM_THREADS=1, as threads that wait count.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from atrous.bundle.preprocessing import Preprocessing
from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size, parse_size
from atrous.datasets.content import Sample
from atrous.datasets.splits import Split
from atrous.models.architectures import build_network, read_shape
from atrous.training.listener import SilentListener
from atrous.training.loop import run_training
from atrous.training.loss import TrainingLoss
from atrous.training.optimiser import make_optimiser
from atrous.training.presets import DEFAULT_PRESET, PRESETS
from atrous.training.recipe import Recipe, TrainingConfig
from benchmarks.options import make_parser, run_benchmark
from benchmarks.photographs import draw_picture, encode_jpeg
from benchmarks.results import describe_machine, make_result, print_rows, print_setting, save_result

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from atrous.training.listener import EpochReport, StepReport
    from benchmarks.results import Row

CLASSES = ClassMap(("background", *(f"class {number}" for number in range(1, 12))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give the exit status."""
    parser = make_parser("training", __doc__)
    parser.add_argument("--encoder", default=Recipe().encoder, help=f"[default: {Recipe().encoder}]")
    parser.add_argument("--size", type=parse_size, default=Size(height=256, width=256), help="[default: 256x256]")
    parser.add_argument(
        "--image-size", type=parse_size, default=Size(height=720, width=960), help="of the files [default: 960x720]"
    )
    parser.add_argument("--batch-size", type=int, default=8, help="[default: 8]")
    parser.add_argument("--pictures", type=int, default=64, help="in an epoch [default: 64]")
    parser.add_argument("--rounds", type=int, default=3, help="counted epochs [default: 3]")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda [default: auto]")
    parser.add_argument("--precision", default=Recipe().precision, help=f"[default: {Recipe().precision}]")
    parser.add_argument("--workers", type=int, default=-1, help="[default: what a training takes]")
    parser.add_argument("--compile", action="store_true", help="compile the bare loop's network")
    return run_benchmark(measure, parser.parse_args(arguments))


def measure(given: argparse.Namespace, folder: Path) -> None:
    """Train, and after each epoch run the bare loop as long."""
    recipe = Recipe(
        encoder=given.encoder,
        encoder_weights="none",
        epochs=given.rounds + 1,
        batch_size=given.batch_size,
        device=given.device,
        precision=given.precision,
        workers=given.workers,
        validate_every=given.rounds + 1,
        **PRESETS[DEFAULT_PRESET].choices,
    )
    machine = describe_machine() | {"torch": torch.__version__}
    names = ("encoder", "batch_size", "pictures", "rounds", "device", "precision", "workers")
    sizes = {"network": str(given.size), "files": str(given.image_size), "threads": torch.get_num_threads()}
    setting = {name: getattr(given, name) for name in names} | sizes
    print_setting(machine, setting)
    turns = Turns(BareLoop(recipe, given.size, compiled=given.compile), given.pictures // given.batch_size)
    run_training(
        TrainingConfig(
            run_folder=folder,
            samples=draw_samples(folder / "pictures", given.pictures, given.image_size),
            class_map=CLASSES,
            preprocessing=Preprocessing(size=given.size),
            recipe=recipe,
        ),
        turns,
    )
    print_rows([*turns.rows, summarise(turns.rows)])
    save_result(make_result("training", setting, turns.rows, machine), given.json)


def summarise(rows: Sequence[Row]) -> Row:
    """The median of the counted epochs."""
    return {"epoch": "median"} | {
        name: statistics.median(row[name] for row in rows[1:]) for name in rows[0] if name != "epoch"
    }


class Turns(SilentListener):
    """Gives the bare loop its turn after each epoch."""

    def __init__(self, bare: BareLoop, steps: int) -> None:
        self._bare, self._steps = bare, max(1, steps)
        self._cpu_s: list[float] = []
        self.rows: list[Row] = []

    def on_step(self, report: StepReport) -> None:
        """Look at the processor's clock."""
        del report
        self._cpu_s.append(time.process_time())

    def on_epoch(self, report: EpochReport) -> None:
        """Run as many bare steps as an epoch has."""
        step_cpu_s = (self._cpu_s[-1] - self._cpu_s[0]) / max(1, len(self._cpu_s) - 1)
        started_cpu_s = time.process_time()
        bare_per_s = self._bare.run(self._steps)
        bare_step_cpu_s = (time.process_time() - started_cpu_s) / self._steps
        self._cpu_s.clear()
        self.rows.append(
            {
                "epoch": report.epoch,
                "pictures_per_s": report.pictures_per_s,
                "bare_per_s": bare_per_s,
                "share": report.pictures_per_s / bare_per_s,
                "share_of_cpu_time": bare_step_cpu_s / step_cpu_s if step_cpu_s else None,
                "data_wait_share": report.data_wait_share,
            }
        )


class BareLoop:
    """Forward, loss, backward and step on one batch of noise that is there already."""

    def __init__(self, recipe: Recipe, size: Size, *, compiled: bool = False) -> None:
        self._device = torch.device("cuda" if recipe.device != "cpu" and torch.cuda.is_available() else "cpu")
        shape = read_shape(recipe.as_json())
        network: Any = build_network(
            recipe.architecture, recipe.encoder, len(CLASSES), shape, auxiliary=recipe.auxiliary_weight > 0
        )
        network = network.to(self._device, memory_format=torch.channels_last).train()
        self._model = torch.compile(network) if compiled else network
        self._loss = TrainingLoss(recipe, np.ones(len(CLASSES), np.float32)).to(self._device)
        self._optimiser = make_optimiser(network, recipe)
        shape_BCHW = (recipe.batch_size, 3, size.height, size.width)
        self._input_BCHW = torch.randn(shape_BCHW, device=self._device).to(memory_format=torch.channels_last)
        self._mask_BHW = torch.randint(len(CLASSES), (shape_BCHW[0], *shape_BCHW[2:]), device=self._device)
        self._precision = recipe.precision
        self._step()

    def run(self, steps: int) -> float:
        """Give the pictures per second of so many steps."""
        self._synchronise()
        started_s = time.perf_counter()
        for _ in range(steps):
            self._step()
        self._synchronise()
        return steps * len(self._input_BCHW) / (time.perf_counter() - started_s)

    def _step(self) -> None:
        dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self._precision)
        with torch.autocast(self._device.type, dtype=dtype, enabled=dtype is not None):
            output = self._model(self._input_BCHW)
        loss = self._loss(output, self._mask_BHW)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def draw_samples(folder: Path, count: int, size: Size) -> tuple[Sample, ...]:
    """Write JPEGs and masks of soft shapes, and one of them again for valid."""
    folder.mkdir()
    image_HWC = draw_picture(size)
    mask_HW = cv2.resize(
        np.random.default_rng(0).integers(0, len(CLASSES), (6, 8), np.uint8),
        (size.width, size.height),
        interpolation=cv2.INTER_NEAREST,
    )
    samples: list[Sample] = []
    for index, split in enumerate([Split.TRAIN] * count + [Split.VALID]):
        image, mask = folder / f"{index}.jpg", folder / f"{index}.png"
        image.write_bytes(encode_jpeg(np.roll(image_HWC, 7 * index, axis=1)))
        mask.write_bytes(cv2.imencode(".png", np.roll(mask_HW, 7 * index, axis=1))[1].tobytes())
        samples.append(Sample(image.name, image, mask, split))
    return tuple(samples)


if __name__ == "__main__":
    sys.exit(main())
