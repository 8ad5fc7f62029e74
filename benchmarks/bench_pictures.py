"""What a project of many small drawn pictures costs: listing, search, upload, generation of a version, memory.

usage: python -m benchmarks.bench_pictures [--pictures N] [--uploads N] [--generate N] [--threads N] [--repeat N]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np

from atrous import __version__
from atrous.adapters.home import open_home
from atrous.core.class_map import BACKGROUND, ClassMap
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.runtime.png import encode_grey_png
from atrous.worker.jobs import JOBS
from atrous.worker.watch import SilentWatch
from atrous.workspace.keys import create_key
from atrous.workspace.records import JobKind, Picture, Project
from atrous.workspace.versions import request_version
from atrous.workspace.workspaces import ensure_first_workspace
from benchmarks.serving import read_memory, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from atrous.workspace.ports import Ports

CLASSES = ClassMap((BACKGROUND, "road", "car", "sky"))
START = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = Size(height=48, width=64)
ROWS_AT_ONCE = 2000
MANY, SENT, MADE = "many", "sent", "made"
SETTINGS = {"preprocessing": {"auto-orient": True, "resize": {"width": 64, "height": 48, "format": "Stretch to"}}}

QUERIES = {
    "everything": "",
    "one of all tags": "tag:all",
    "a tag of a third": "tag:night",
    "a rare tag": "tag:rare",
    "a class": "class:road",
    "no class": "-class:road",
    "a split": "split:train",
    "without label": "labelled:false",
    "a batch": 'batch:"batch 3"',
    "a name": "filename:frame_05*",
    "part of a name": "4711",
    "metadata": "metadata:camera=3",
    "a width": "min-width:65",
    "by name": "sort:name",
    "three of them": "tag:night class:car split:valid",
    "one of three": "tag:night OR class:car OR split:valid",
}


def main() -> None:
    """Measure and print a table."""
    options = _read_options()
    print(f"atrous {__version__}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        ports = open_home(home)
        workspace = ensure_first_workspace(ports)
        _, key = create_key(ports, workspace, "benchmark")
        _time_fill(ports, workspace, options.pictures)
        with serve(home, auth=True) as server:
            client = httpx.Client(base_url=server.url, params={"api_key": key}, timeout=600)
            _show("memory of the server at rest", read_memory(server.pid).rss_mib, "MiB")
            _time_pages(client, workspace, options)
            _time_uploads(ports, client, workspace, options)
            _show("memory of the server afterwards", read_memory(server.pid).rss_mib, "MiB")
        _time_generation(ports, workspace, options.generate, home)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000, help="rows in the project that is searched")
    parser.add_argument("--uploads", type=int, default=1000, help="pictures sent over HTTP")
    parser.add_argument("--generate", type=int, default=1000, help="pictures of the version that is generated")
    parser.add_argument("--threads", type=int, default=10, help="connections that upload at the same time")
    parser.add_argument("--repeat", type=int, default=7, help="rounds, of which the median is shown")
    return parser.parse_args()


def _time_fill(ports: Ports, workspace: str, count: int) -> None:
    ports.store.add_project(Project(workspace, MANY, CLASSES, START))
    began_s = time.perf_counter()
    for first in range(0, count, ROWS_AT_ONCE):
        rows = [_draw_row(number) for number in range(first, min(count, first + ROWS_AT_ONCE))]
        ports.store.add_pictures(workspace, MANY, rows)
    _show(f"rows written, of {count} pictures", count / (time.perf_counter() - began_s), "/s")


def _draw_row(number: int) -> Picture:
    """A picture without files; what it says repeats at different lengths."""
    is_labelled = number % 4 != 0
    shown = {0: 9, 1: 9} | ({2: 9} if number % 9 == 0 else {}) if is_labelled else {}
    return Picture(
        name=f"frame_{number:06d}.jpg",
        image_sha256=hashlib.sha256(b"%d" % number).hexdigest(),
        mask_sha256="0" * 64 if is_labelled else None,
        split=(Split.VALID if number % 5 == 0 else Split.TEST) if number % 3 == 0 else Split.TRAIN,
        size=Size(height=48, width=64 + number % 3),
        class_pixels=shown,
        look=bytes(16),
        batch=f"batch {number // 5000}",
        tags=("all", *(("night",) if number % 3 == 0 else ()), *(("rare",) if number % 2000 == 0 else ())),
        metadata={"camera": number % 20},
        created=START + timedelta(seconds=number),
    )


def _time_pages(client: httpx.Client, workspace: str, options: argparse.Namespace) -> None:
    def search(**body: Any) -> dict[str, Any]:
        return _good(client.post(f"/{workspace}/search/v1", json={"pageSize": 100, **body}))

    def find(**body: Any) -> dict[str, Any]:
        return _good(client.post(f"/{workspace}/{MANY}/search", json={"limit": 100, **body}))

    for what, query in QUERIES.items():
        total = search(query=query)["total"]
        _time(f"search: {what} ({total})", options.repeat, lambda query=query: search(query=query))
    token = None
    for _ in range(max(1, options.pictures // 2000)):
        token = search(query="", pageSize=1000, continuationToken=token)["continuationToken"]
    _time("page in the middle, by token", options.repeat, lambda: search(query="", continuationToken=token))
    _time("first page of the project", options.repeat, find)
    _time("last page of the project, by offset", options.repeat, lambda: find(offset=max(0, options.pictures - 100)))
    _time("100 pictures with links", options.repeat, lambda: find(fields=["url"]))
    for what, path in {"project": "", "batches": "/batches", "health": "/health"}.items():
        address = f"/{workspace}/{MANY}{path}"
        _time(f"{what}: GET {address}", options.repeat, lambda address=address: _good(client.get(address)))
    _time("the workspace", options.repeat, lambda: _good(client.get(f"/{workspace}")))


def _time_uploads(ports: Ports, client: httpx.Client, workspace: str, options: argparse.Namespace) -> None:
    ports.store.add_project(Project(workspace, SENT, CLASSES, START))
    files = [_draw_jpeg(number) for number in range(options.uploads)]

    def send(number: int) -> None:
        name = f"{number:06d}.jpg"
        parts = {"name": (None, name), "split": (None, "train"), "file": (name, files[number], "image/jpeg")}
        assert _good(client.post(f"/dataset/{SENT}/upload", params={"batch": "bench"}, files=parts))["success"]

    began_s = time.perf_counter()
    with ThreadPoolExecutor(options.threads) as pool:
        list(pool.map(send, range(options.uploads)))
    rate = options.uploads / (time.perf_counter() - began_s)
    _show(f"uploads over {options.threads} connections", rate, "/s")
    assert ports.store.count_pictures(workspace, SENT).total == options.uploads


def _time_generation(ports: Ports, workspace: str, count: int, home: Path) -> None:
    ports.store.add_project(Project(workspace, MADE, CLASSES, START))
    pictures = [_keep_picture(ports, number) for number in range(count)]
    ports.store.add_pictures(workspace, MADE, pictures)
    began_s = time.perf_counter()
    request_version(ports, workspace, MADE, SETTINGS | {"augmentation": {}})
    now = ports.clock.now()
    job = ports.queue.claim_job("benchmark", [JobKind.GENERATE], now, now + timedelta(hours=1))
    assert job is not None
    JOBS[JobKind.GENERATE](ports, job, home / "job", SilentWatch())
    _show("generation of a version, per 1,000 pictures", (time.perf_counter() - began_s) / count * 1000, "s")


def _keep_picture(ports: Ports, number: int) -> Picture:
    mask_HW = np.zeros((SIZE.height, SIZE.width), np.uint8)
    mask_HW[10:30, number % 20 :] = 1
    counts = {0: int((mask_HW == 0).sum()), 1: int((mask_HW == 1).sum())}
    image, mask = ports.blobs.put(_draw_jpeg(number)), ports.blobs.put(encode_grey_png(mask_HW))
    split = Split.VALID if number % 5 == 0 else Split.TRAIN
    return Picture(f"{number:06d}.jpg", image, mask, split, SIZE, counts, created=START)


def _draw_jpeg(number: int) -> bytes:
    image_HWC = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    _, data = cv2.imencode(".jpg", image_HWC)
    return data.tobytes()


def _time(what: str, repeat: int, call: Callable[[], object]) -> None:
    call()
    times_ms: list[float] = []
    for _ in range(repeat):
        began_s = time.perf_counter()
        call()
        times_ms.append((time.perf_counter() - began_s) * 1e3)
    _show(what, statistics.median(times_ms), "ms")


def _show(what: str, value: float, unit: str) -> None:
    print(f"{what:50s} {value:9.1f} {unit}", flush=True)


def _good(reply: httpx.Response) -> dict[str, Any]:
    if not reply.is_success:
        sys.exit(f"{reply.request.method} {reply.request.url.path}: {reply.status_code} {reply.text[:500]}")
    return json.loads(reply.content)


if __name__ == "__main__":
    main()
