"""How long an answer takes, stage by stage and over HTTP, beside the bare network pass.

usage: python -m benchmarks.answer [--bundle DIR] [--image FILE ...] [--repeat N]
"""

from __future__ import annotations

import argparse
import base64
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import onnxruntime

from atrous import __version__
from atrous.adapters.home import open_home
from atrous.bundle.bundle import open_bundle
from atrous.bundle.preprocessing import Preprocessing, fit_image, normalise, place_picture
from atrous.cli.home import find_home
from atrous.core.class_map import BACKGROUND, ClassMap
from atrous.core.errors import AtrousError
from atrous.core.sizes import Size
from atrous.runtime.backends import BACKENDS
from atrous.runtime.decode import apply_threshold, confidence_levels, decode_logits
from atrous.runtime.engine import Engine
from atrous.runtime.png import encode_grey_png
from atrous.server.answer import Wish, answer_picture, encode_json
from atrous.server.confidence import DEFAULT
from atrous.server.images import decode_image
from atrous.server.pool import LoadedModel
from atrous.server.settings import Settings
from atrous.workspace.models import publish_model
from atrous.workspace.records import Model, Training, TrainingState
from atrous.workspace.workspaces import ensure_first_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from atrous.bundle.bundle import Bundle
    from atrous.runtime.backends import Network

PROJECT = "bench"
MODEL_ID = f"{PROJECT}/1"
SIZES = (Size(height=720, width=960), Size(height=1080, width=1920), Size(height=3000, width=4000))
STAGES = ("decode picture", "prepare", "network", "decode logits", "two PNGs", "JSON body")
ANSWER, BARE, HTTP = "answer_picture", "bare session.run", "HTTP total"
WARM_UP = 2
READY_TIMEOUT_S = 60
WISH = Wish(threshold=DEFAULT, max_pixels=Settings().max_pixels)


class Stopwatch:
    """Times by name."""

    def __init__(self) -> None:
        self._times_s: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the time of the block."""
        started = time.perf_counter()
        yield
        self._times_s[name].append(time.perf_counter() - started)

    def median_ms(self, name: str) -> float:
        """The median of what was timed under a name."""
        return 1000 * statistics.median(self._times_s[name])


def main() -> int:
    """Measure and print; give the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.answer", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, help="model folder [default: ATROUS_HOME's newest, or random weights]")
    parser.add_argument("--image", type=Path, nargs="+", default=[], help="pictures [default: three drawn JPEGs]")
    parser.add_argument("--repeat", type=int, default=15, help="counted rounds per picture [default: 15]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="atrous-bench-") as scratch:
        try:
            bundle = open_bundle(given.bundle or find_newest_bundle() or make_random_bundle(Path(scratch) / "bundle"))
            pictures = read_pictures(given.image)
            print_setting(bundle, given.repeat)
            with serve(bundle.folder, Path(scratch) / "home") as url:
                print_header()
                for name, data in pictures:
                    print_row(name, measure(bundle, data, url, repeat=max(1, given.repeat)))
        except AtrousError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return 0


# What is measured


def measure(bundle: Bundle, data: bytes, url: str, *, repeat: int) -> Stopwatch:
    """Time one picture; everything takes turns, so that a drift of the machine hits all of it alike."""
    network = BACKENDS[Engine.backend](bundle.weights_onnx, 0)
    model = Model("bench", "bench", PROJECT, 1, "bench", datetime.now(UTC))
    loaded = LoadedModel(model, Engine(bundle, network), load_time_s=0.0)
    image_HWC = decode_image(data, auto_orient=True, max_pixels=WISH.max_pixels)
    input_BCHW = normalise(fit_image(image_HWC, bundle.preprocessing), bundle.preprocessing)[None]
    body = base64.b64encode(data)
    with httpx.Client(timeout=READY_TIMEOUT_S) as client:

        def run_round(watch: Stopwatch) -> None:
            time_stages(bundle, network, data, watch)
            with watch.time(ANSWER):
                encode_json(answer_picture(loaded, data, WISH))
            with watch.time(BARE):
                network(input_BCHW)
            with watch.time(HTTP):
                client.post(f"{url}/{MODEL_ID}", content=body).raise_for_status()

        for watch in [Stopwatch()] * WARM_UP + [counted := Stopwatch()] * repeat:
            run_round(watch)
    return counted


def time_stages(bundle: Bundle, network: Network, data: bytes, watch: Stopwatch) -> None:
    """Answer once, a stage at a time, with the functions that `answer_picture` is made of."""
    preprocessing = bundle.preprocessing
    with watch.time("decode picture"):
        image_HWC = decode_image(data, auto_orient=preprocessing.auto_orient, max_pixels=WISH.max_pixels)
    with watch.time("prepare"):
        placement = place_picture(Size(height=image_HWC.shape[0], width=image_HWC.shape[1]), preprocessing)
        input_CHW = normalise(fit_image(image_HWC, preprocessing), preprocessing)
    with watch.time("network"):
        logits_BKhw = network(input_CHW[None])
    with watch.time("decode logits"):
        prediction = apply_threshold(decode_logits(logits_BKhw[0], placement), WISH.threshold)
    with watch.time("two PNGs"):
        levels_HW = confidence_levels(prediction.confidence_HW)
        texts = [base64.b64encode(encode_grey_png(plane_HW)).decode() for plane_HW in (prediction.mask_HW, levels_HW)]
    with watch.time("JSON body"):
        encode_json({"segmentation_mask": texts[0], "confidence_mask": texts[1]})


# What it is measured on


def read_pictures(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Names and bytes of the files given, or of drawn pictures."""
    if paths:
        return [(path.name, path.read_bytes()) for path in paths]
    return [(f"{size} drawn", encode_jpeg(draw_picture(size))) for size in SIZES]


def draw_picture(size: Size) -> NDArray[np.uint8]:
    """Soft colours with a little grain, image_HWC: neither empty nor noise, so that a JPEG of it is of usual length."""
    random = np.random.default_rng(0)
    coarse_HWC = random.integers(0, 256, (12, 16, 3), np.uint8)
    smooth_HWC = cv2.resize(coarse_HWC, (size.width, size.height), interpolation=cv2.INTER_CUBIC)
    grain_HWC = random.normal(0, 4, smooth_HWC.shape).astype(np.float32)
    return np.clip(smooth_HWC + grain_HWC, 0, 255).astype(np.uint8)


def encode_jpeg(image_HWC: NDArray[np.uint8]) -> bytes:
    """A JPEG as cameras write it."""
    _, data = cv2.imencode(".jpg", image_HWC, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return data.tobytes()


def find_newest_bundle() -> Path | None:
    """The folder of the newest model of `ATROUS_HOME`, if there is one."""
    home = find_home()
    if not (home / "atrous.db").is_file():
        return None
    ports = open_home(home)
    models = [model for workspace in ports.store.list_workspaces() for model in ports.store.list_models(workspace)]
    newest = max(models, key=lambda model: model.created, default=None)
    return ports.bundles.locate(newest.workspace, newest.slug) if newest else None


def make_random_bundle(folder: Path) -> Path:
    """A DeepLabv3+ with MobileNetV2, 12 classes and 512x512, that has learned nothing."""
    try:
        import torch  # noqa: PLC0415  (a serving installation has none)

        from atrous.export.bundle import Provenance, write_bundle  # noqa: PLC0415
        from atrous.models.architectures import build_network  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SystemExit(
            "error: no model in ATROUS_HOME and no torch to make one; name a folder: --bundle DIR"
        ) from None
    class_map = ClassMap((BACKGROUND, *(f"class {number}" for number in range(1, 12))))
    torch.manual_seed(0)
    weights = build_network("deeplabv3plus", "mobilenet_v2", len(class_map)).network.state_dict()
    folder.mkdir(parents=True)
    write_bundle(
        folder,
        weights=weights,
        class_map=class_map,
        preprocessing=Preprocessing(size=Size(height=512, width=512)),
        provenance=Provenance(MODEL_ID, "deeplabv3plus", "mobilenet_v2", {}, "", datetime.now(UTC).isoformat()),
        pictures_HWC=[draw_picture(SIZES[0])],
    )
    return folder


# The server


@contextmanager
def serve(bundle: Path, home: Path) -> Iterator[str]:
    """Run the real server in a process of its own, on a home that holds nothing but this bundle; give its address."""
    _publish(bundle, home)
    port = _find_free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATROUS_")}
    command = [sys.executable, "-m", "atrous", "serve", "--auth", "off", "--port", str(port)]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment | {"ATROUS_HOME": str(home)}, stdout=log, stderr=log)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}", home / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(READY_TIMEOUT_S)


def _publish(bundle: Path, home: Path) -> None:
    ports = open_home(home)
    training = Training(
        id="bench",
        workspace=ensure_first_workspace(ports),
        project=PROJECT,
        version=1,
        recipe={},
        state=TrainingState.DONE,
        created=ports.clock.now(),
    )
    ports.store.add_training(training)
    publish_model(ports, training, bundle, {})


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readiness").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"error: the server did not become ready:\n{log.read_text()}")


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# What is printed


def print_setting(bundle: Bundle, repeat: int) -> None:
    """What the numbers depend on."""
    manifest = bundle.manifest
    print(f"atrous {__version__}, ONNX Runtime {onnxruntime.__version__}, Python {platform.python_version()}")
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"model: {manifest.architecture} over {manifest.encoder}, {len(bundle.class_map)} classes, "
        f"input {bundle.preprocessing.size}, {bundle.preprocessing.fit}"
    )
    print(f"medians of {repeat} rounds in milliseconds; one caller, one connection, confidence {WISH.threshold:g}\n")


def print_header() -> None:
    """The names of the columns."""
    print(f"{'picture':<20}", *(f"{name:>{_width(name)}}" for name in (*STAGES, ANSWER, BARE, HTTP)), "  HTTP / bare")


def print_row(name: str, watch: Stopwatch) -> None:
    """One picture's times."""
    cells = (f"{watch.median_ms(column):>{_width(column)}.1f}" for column in (*STAGES, ANSWER, BARE, HTTP))
    print(f"{name[:20]:<20}", *cells, f"{watch.median_ms(HTTP) / watch.median_ms(BARE):>13.2f}", flush=True)


def _width(column: str) -> int:
    return max(len(column), 8) + 1


if __name__ == "__main__":
    sys.exit(main())
