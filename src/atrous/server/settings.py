"""What an operator may choose about a server, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEMANTIC_SEGMENTATION = "semantic-segmentation"
INSTANCE_SEGMENTATION = "instance-segmentation"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server answers.

    Attributes:
        host: address to listen on; only this machine unless said otherwise.
        port: TCP port; 9001 is what Roboflow's clients use for a local server.
        auth_required: whether requests need a key. Without it every caller acts for the oldest workspace.
        sdk_task: task that the registry names. `client.infer` of inference-sdk refuses `semantic-segmentation` before
            it sends anything, so the default names `instance-segmentation`, whose answers it passes on as they are;
            `served_task` beside it always tells the truth.
        max_body_bytes: largest request body; a 12-megapixel JPEG is about 6 MB, 8 MB as base64.
        max_pixels: largest picture, judged by its header; decoding takes 3 bytes a pixel, answering about 20.
        max_images: pictures in one request; they are answered one after the other by one thread.
        threads: threads of one pass through a network; 0 takes every core.
        max_models: models held in memory at a time; the least recently used one makes room.
        concurrency: requests that are decoded and predicted at a time; 0 takes the number of cores, at least 2.
        max_waiting: requests that may wait for their turn; each holds its body in memory, the next one gets a 503.
    """

    host: str = "127.0.0.1"
    port: int = 9001
    auth_required: bool = True
    sdk_task: str = INSTANCE_SEGMENTATION
    max_body_bytes: int = 20_000_000
    max_pixels: int = 100_000_000
    max_images: int = 64
    threads: int = 0
    max_models: int = 8
    concurrency: int = 0
    max_waiting: int = 128


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
    "max_pixels": ("max_pixels", _whole(1, 10**9)),
    "max_images": ("max_images", _whole(1, 10_000)),
    "threads": ("threads", _whole(0, 1024)),
    "max_models": ("max_models", _whole(1, 1000)),
    "concurrency": ("concurrency", _whole(0, 1024)),
    "max_waiting": ("max_waiting", _whole(0, 100_000)),
}
