"""What an operator may choose about a server, as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.bundle.reduction import JpegScale
from atrous.core.errors import InvalidInputError
from atrous.runtime.loading import AUTO, BACKEND_CHOICES, PRECISIONS
from atrous.runtime.tiling import AUTO as TILE_AUTO
from atrous.runtime.tiling import OFF as TILE_OFF
from atrous.server.logs import JSON, PEOPLE
from atrous.server.url_pictures import HTTP, HTTPS, OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,10}")
SEMANTIC_SEGMENTATION = "semantic-segmentation"
INSTANCE_SEGMENTATION = "instance-segmentation"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server answers.

    Attributes:
        host: address to listen on; only this machine unless said otherwise.
        port: TCP port; 9001 is what Roboflow's clients use for a local server.
        auth_required: whether requests need a key. Without it every caller acts for the oldest workspace, or the only
            one that is served.
        sdk_task: task that the registry names. `client.infer` of inference-sdk refuses `semantic-segmentation` before
            it sends anything, so the default names `instance-segmentation`, whose answers it passes on as they are;
            `served_task` beside it always tells the truth.
        max_body_bytes: largest request body; a 12-megapixel JPEG is about 6 MB, 8 MB as base64.
        max_upload_bytes: largest archive of a dataset, which is written to disk as it comes.
        max_pixels: largest picture, judged by its header; answering one takes about 12 bytes a pixel.
        jpeg_scale: "full" decodes every pixel of a JPEG; "auto" as few as still hold what the network sees, which is
            quicker, takes less memory, and gives some pixels at borders another class.
        tile: what a request that does not say gets: `auto` cuts pictures that are far larger than those a model was
            trained on into overlapping tiles; `off` has the network see them whole, as a stock server does.
        max_images: pictures in one request; they are answered one after the other by one thread.
        threads: threads of one pass through a network; 0 takes every core.
        precision: `fp32`, `int8`, or `auto` for 8 bits where a model was published with such weights and this machine
            is quicker with them. With `int8` a model without them is refused.
        backend: `onnx`, `openvino`, `onnx-cuda`, or `auto` for the quickest that is installed; timed as a model loads.
        calibrated: whether confidence is corrected by the temperature that a model was published with, so that of
            pixels with 0.8 about 80 in 100 are right. Classes stay the same; which pixels a threshold makes background
            does not. Off, confidence is that of a stock server.
        max_batch: pictures of different requests that one pass may take; 1 runs each alone. Of use on a GPU; OpenVINO
            runs each alone anyway.
        max_models: models held in memory at a time; the least recently used one makes room.
        max_model_bytes: bytes that they are estimated to take together, in each worker; the same makes room. 0 takes
            half of the memory for all workers.
        concurrency: requests that are decoded and predicted at a time; 0 takes the number of cores, at least 2.
        url_pictures: schemes of URLs that requests may name pictures by: "off", "https", or "http" for both. Only
            public addresses are fetched from.
        url_timeout_s: time for all pictures that one request names by URL.
        max_waiting: requests that may wait for their turn; each holds its body in memory, the next one gets a 503 at
            once. Models take turns, and the one with the most who wait gives up places to others.
        max_total_pixels: pixels of the pictures in work at a time, in each worker; the next picture waits. A larger
            one is worked on alone. 0 takes a quarter of the memory for all workers, at 12 bytes a pixel.
        max_total_body_bytes: bytes of all bodies held at a time; a request that brings more gets a 503.
        max_connections: connections open at a time in each worker; the next one is closed at once.
        requests_per_minute: of keys that have no rate of their own, in each worker; 0 is no limit. Not without keys.
        request_timeout_s: time from the head of a request to the end of its reply, waiting included; then a 503. Longer
            than a big model takes to load, as callers of a cold model are held, not refused.
        header_timeout_s: time for the head of a request; then the connection is closed.
        body_timeout_s: time between two parts of a body, then a 408; and that a reply may lie unread.
        preload_models: loaded, tried and kept in memory; the server is ready when all have answered. `project/version`
            of the oldest workspace, `workspace:project/version`, or `workspace/model-slug`.
        shutdown_delay_s: time from SIGTERM on that the server answers, not ready any more, even if nothing is in
            flight; as long as a balancer takes to notice.
        shutdown_timeout_s: time for what is in flight after that.
        workers: processes that share the port; each holds its own models, queue and rates.
        certfile: PEM certificate chain for TLS; empty for plain HTTP.
        keyfile: its key, PEM, unencrypted.
        cors_origins: origins whose pages may call this server; none by default, `*` for all. Never with cookies.
        log_format: `people` or `json`.
        log_level: the lowest level that is written.
        recent_logs: lines of the log that are held in memory for `/logs`.
        worker: whether a worker runs beside the server and does what is queued.
        train_encoder_weights: what a training that is started over HTTP begins with where its caller names nothing:
            `imagenet`, which is fetched from a hub, `none`, or the absolute path of a file of weights.
        deployment: name of the dedicated deployment that this server is; empty for the shared one, which passes
            requests on to deployments.
        only_workspace: the one workspace that is served: keys of others are not valid here; all if empty.
        memory_bytes: counts as the memory of the machine where limits are derived from it; 0 takes what it has.
        deployments: whether dedicated deployments are kept by a process beside the server.
        deployments_host: address that deployments of this host listen on, reachable for all servers of the store; a
            port of its own is free for each.
        deployments_domain: a request for the host `NAME.DOMAIN` is passed on to the deployment NAME; none by default.
        engine: where networks are run: `ray` for replicas on a Ray cluster; in this process if empty.
    """

    host: str = "127.0.0.1"
    port: int = 9001
    auth_required: bool = True
    sdk_task: str = INSTANCE_SEGMENTATION
    max_body_bytes: int = 20_000_000
    max_upload_bytes: int = 20_000_000_000
    max_pixels: int = 100_000_000
    jpeg_scale: JpegScale = JpegScale.FULL
    tile: str = TILE_OFF
    max_images: int = 64
    threads: int = 0
    precision: str = AUTO
    backend: str = AUTO
    calibrated: bool = False
    max_batch: int = 1
    max_models: int = 8
    max_model_bytes: int = 0
    concurrency: int = 0
    max_waiting: int = 128
    max_total_pixels: int = 0
    url_pictures: str = OFF
    url_timeout_s: int = 10
    max_total_body_bytes: int = 1_000_000_000
    max_connections: int = 1000
    requests_per_minute: int = 0
    request_timeout_s: float = 120
    header_timeout_s: float = 10
    body_timeout_s: float = 20
    preload_models: tuple[str, ...] = ()
    shutdown_delay_s: float = 0
    shutdown_timeout_s: float = 30
    workers: int = 1
    certfile: str = ""
    keyfile: str = ""
    cors_origins: tuple[str, ...] = ()
    log_format: str = PEOPLE
    log_level: str = "info"
    recent_logs: int = 1000
    worker: bool = True
    train_encoder_weights: str = "imagenet"
    deployment: str = ""
    only_workspace: str = ""
    memory_bytes: int = 0
    deployments: bool = True
    deployments_host: str = "127.0.0.1"
    deployments_domain: str = ""
    engine: str = ""


def read_settings(environment: Mapping[str, str], config: Mapping[str, Any], overrides: Mapping[str, Any]) -> Settings:
    """Find each option in the overrides, else in `ATROUS_*`, else in the file, else take its default.

    Args:
        environment: variables such as `ATROUS_PORT`; an empty one counts as not set.
        config: the parsed configuration file, of which the table `[server]` is read.
        overrides: options by name, such as those of a command line; None counts as not given.

    Raises:
        InvalidInputError: naming the variable, option or key whose value cannot be.
    """
    table = _server_table(config)
    for name in overrides:
        if name not in OPTIONS:
            raise InvalidInputError(f"server option {name!r}: unknown; use one of {', '.join(OPTIONS)}")
    chosen: dict[str, Any] = {}
    for name, (field, read) in OPTIONS.items():
        candidates = (
            (_flag(name), overrides.get(name)),
            (_variable(name), environment.get(_variable(name)) or None),
            (f"[server] {name}", table.get(name)),
        )
        for source, value in candidates:
            if value is not None:
                chosen[field] = _read(source, value, read)
                break
    return Settings(**chosen)


def _server_table(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("server", {})
    if not isinstance(found, dict):
        raise InvalidInputError("configuration file: 'server' must be a table, written as [server]")
    table = cast("dict[str, Any]", found)
    for name in table:
        if name not in OPTIONS:
            raise InvalidInputError(f"configuration file, [server] {name}: unknown; use one of {', '.join(OPTIONS)}")
    return table


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _variable(name: str) -> str:
    return f"ATROUS_{name.upper()}"


def _read(source: str, value: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise InvalidInputError(f"{source}={str(value)[:100]!r}: {error}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    return value.strip()


def _switch(value: Any) -> bool:
    words = {"on": True, "true": True, "off": False, "false": False}
    word = str(value).strip().lower()
    if word not in words:
        raise ValueError("must be on or off")
    return words[word]


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return value

    return read


def _domain(value: Any) -> str:
    name = _text(value).lower().strip(".")
    if not DOMAIN.fullmatch(name):
        raise ValueError("must be a name such as deployments.example.org, without a port")
    return name


def _jpeg_scale(value: Any) -> JpegScale:
    return JpegScale(_one_of(*JpegScale)(value))


def _list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    try:
        return tuple(_text(part) for part in value)
    except TypeError as error:
        raise ValueError("must be a list, or texts with commas between them") from error


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        complaint = f"must be a whole number from {least} to {most}"
        try:
            # By its text, so that true and 1.5 are no numbers.
            number = int(str(value))
        except ValueError as error:
            raise ValueError(complaint) from error
        if not least <= number <= most:
            raise ValueError(complaint)
        return number

    return read


# Name of an option -> the field it fills and how its value is read.
OPTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "host": ("host", _text),
    "port": ("port", _whole(0, 65535)),
    "auth": ("auth_required", _switch),
    "sdk_task": ("sdk_task", _one_of(INSTANCE_SEGMENTATION, SEMANTIC_SEGMENTATION)),
    "max_body_bytes": ("max_body_bytes", _whole(1000, 10**10)),
    "max_upload_bytes": ("max_upload_bytes", _whole(1000, 10**13)),
    "max_pixels": ("max_pixels", _whole(1, 10**9)),
    "jpeg_scale": ("jpeg_scale", _jpeg_scale),
    "tile": ("tile", _one_of(TILE_OFF, TILE_AUTO)),
    "max_images": ("max_images", _whole(1, 10_000)),
    "threads": ("threads", _whole(0, 1024)),
    "precision": ("precision", _one_of(*PRECISIONS)),
    "backend": ("backend", _one_of(*BACKEND_CHOICES)),
    "calibrated": ("calibrated", _switch),
    "max_batch": ("max_batch", _whole(1, 256)),
    "max_models": ("max_models", _whole(1, 1000)),
    "max_model_bytes": ("max_model_bytes", _whole(0, 10**13)),
    "concurrency": ("concurrency", _whole(0, 1024)),
    "max_waiting": ("max_waiting", _whole(0, 100_000)),
    "max_total_pixels": ("max_total_pixels", _whole(0, 10**12)),
    "url_pictures": ("url_pictures", _one_of(OFF, HTTPS, HTTP)),
    "url_timeout_s": ("url_timeout_s", _whole(1, 300)),
    "max_total_body_bytes": ("max_total_body_bytes", _whole(1000, 10**12)),
    "max_connections": ("max_connections", _whole(1, 1_000_000)),
    "requests_per_minute": ("requests_per_minute", _whole(0, 1_000_000)),
    "request_timeout_s": ("request_timeout_s", _whole(1, 86_400)),
    "header_timeout_s": ("header_timeout_s", _whole(1, 3600)),
    "body_timeout_s": ("body_timeout_s", _whole(1, 3600)),
    "preload_models": ("preload_models", _list),
    "shutdown_delay_s": ("shutdown_delay_s", _whole(0, 3600)),
    "shutdown_timeout_s": ("shutdown_timeout_s", _whole(0, 3600)),
    "workers": ("workers", _whole(1, 256)),
    "certfile": ("certfile", _text),
    "keyfile": ("keyfile", _text),
    "cors_origins": ("cors_origins", _list),
    "log_format": ("log_format", _one_of(PEOPLE, JSON)),
    "log_level": ("log_level", _one_of("debug", "info", "warning", "error")),
    "recent_logs": ("recent_logs", _whole(0, 1_000_000)),
    "worker": ("worker", _switch),
    "train_encoder_weights": ("train_encoder_weights", _text),
    "deployment": ("deployment", _text),
    "only_workspace": ("only_workspace", _text),
    "memory_bytes": ("memory_bytes", _whole(0, 10**15)),
    "deployments": ("deployments", _switch),
    "deployments_host": ("deployments_host", _text),
    "deployments_domain": ("deployments_domain", _domain),
    "engine": ("engine", _text),
}
