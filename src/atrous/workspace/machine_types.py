"""Kinds of machines that deployments are ordered as: shares of what the machines of this installation have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TABLE = "machine_types"
CAPACITY = "capacity"
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
GIB = 2**30
# A server with one small model takes about a third of this.
LEAST_MEMORY_BYTES = 2**29
MAX_DESCRIPTION_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine, or several together, may give to deployments."""

    threads: int
    memory_bytes: int
    gpus: int


@dataclass(frozen=True, slots=True)
class MachineType:
    """What a deployment of this type gets.

    Attributes:
        description: what it is for; may be empty.
        threads: processor cores that its process keeps to.
        memory_bytes: over which its process is ended and started again.
        gpus: whole ones; 0 or more.
        max_waiting: requests that may wait in it; None leaves that to the server's default.
        concurrency: requests that it works on at a time; likewise.
    """

    name: str
    description: str
    threads: int
    memory_bytes: int
    gpus: int = 0
    max_waiting: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machine types by name, and what all deployments may take together."""

    types: Mapping[str, MachineType]
    capacity: Machine

    def list_fitting(self) -> list[str]:
        """Names of the types of which the capacity holds at least one."""
        return [name for name, one in self.types.items() if not find_shortage(one, self.capacity)]


NO_FLEET = Fleet({}, Machine(0, 0, 0))


def read_fleet(config: Mapping[str, Any], machine: Machine) -> Fleet:
    """Read the tables `[machine_types.NAME]` and `[capacity]` of a parsed config file.

    Without machine types there are some that fit the machine; without a capacity it is all that the machine has.

    Raises:
        InvalidInputError: naming the table and key whose value cannot be.
    """
    capacity = _read_capacity(_table(config.get(CAPACITY, {}), CAPACITY), machine)
    written = _table(config.get(TABLE, {}), TABLE)
    types = {name: _read_type(name, written[name]) for name in written} or make_types(capacity)
    return Fleet(types, capacity)


def make_types(capacity: Machine) -> dict[str, MachineType]:
    """Types for who has written none: a small and a large one, each with a twin with a GPU if there is one."""
    shares = {"dev": ("for trying things", 4, 8), "prod": ("for steady use", 2, 3)}
    types: dict[str, MachineType] = {}
    for stage, (use, threads_share, memory_share) in shares.items():
        threads = max(1, capacity.threads // threads_share)
        memory_bytes = min(capacity.memory_bytes, max(GIB, capacity.memory_bytes // memory_share))
        for gpus in range(min(1, capacity.gpus) + 1):
            name = f"{stage}-{'gpu' if gpus else 'cpu'}"
            types[name] = MachineType(name, use, threads, memory_bytes, gpus)
    return types


def describe_parts(parts: Machine | MachineType) -> str:
    """Such as `2 threads, 4.0 GiB of memory, 1 GPU`."""
    texts = [f"{parts.threads} thread{'s' * (parts.threads != 1)}", f"{parts.memory_bytes / GIB:.1f} GiB of memory"]
    if parts.gpus:
        texts.append(f"{parts.gpus} GPU{'s' * (parts.gpus != 1)}")
    return ", ".join(texts)


def find_shortage(wanted: MachineType, free: Machine) -> str:
    """What there is too little of, for people; empty if it fits."""
    if wanted.threads > free.threads:
        return f"{wanted.threads} threads, of which {free.threads} are free"
    if wanted.memory_bytes > free.memory_bytes:
        return f"{wanted.memory_bytes / GIB:.1f} GiB of memory, of which {free.memory_bytes / GIB:.1f} GiB are free"
    if wanted.gpus > free.gpus:
        return f"{wanted.gpus} GPUs, of which {free.gpus} are free"
    return ""


def subtract(free: Machine, taken: MachineType) -> Machine:
    """What is left, never less than nothing."""
    return Machine(
        threads=max(0, free.threads - taken.threads),
        memory_bytes=max(0, free.memory_bytes - taken.memory_bytes),
        gpus=max(0, free.gpus - taken.gpus),
    )


def read_size(value: Any) -> int:
    """Bytes written as a number, or as text such as `2GiB` or `1.5 GB`.

    Raises:
        ValueError: if it is neither.
    """
    match = SIZE.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    if match is None or isinstance(value, bool):
        raise ValueError("must be a size, such as 2GiB")
    return int(float(match[1]) * UNITS.get((match[2] or "B").upper(), 1))


def _read_capacity(table: Mapping[str, Any], machine: Machine) -> Machine:
    readers = {"threads": _whole(1), "memory": _memory, "gpus": _whole(0)}
    read = _read_table(table, CAPACITY, readers)
    return Machine(
        threads=read.get("threads", machine.threads),
        memory_bytes=read.get("memory", machine.memory_bytes),
        gpus=read.get("gpus", machine.gpus),
    )


def _read_type(name: str, written: Any) -> MachineType:
    if not NAME.fullmatch(name):
        raise InvalidInputError(
            f"configuration file, [{TABLE}]: {name[:40]!r} is no name of a machine type; use 1 to 32 lower-case "
            "letters, digits or '-', a letter first"
        )
    place = f"{TABLE}.{name}"
    read = _read_table(_table(written, place), place, TYPE_READERS)
    for key in ("threads", "memory"):
        if key not in read:
            raise InvalidInputError(f"configuration file, [{place}]: says nothing of {key}; add {key} = ...")
    return MachineType(
        name=name,
        description=read.get("description", ""),
        threads=read["threads"],
        memory_bytes=read["memory"],
        gpus=read.get("gpu", 0),
        max_waiting=read.get("max_waiting"),
        concurrency=read.get("concurrency"),
    )


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"configuration file: {name!r} must be a table, written as [{name}]")
    return cast("dict[str, Any]", value)


def _read_table(table: Mapping[str, Any], place: str, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, value in table.items():
        if key not in readers:
            raise InvalidInputError(f"configuration file, [{place}] {key}: unknown; use one of {', '.join(readers)}")
        try:
            read[key] = readers[key](value)
        except ValueError as error:
            raise InvalidInputError(f"configuration file, [{place}] {key}={str(value)[:100]!r}: {error}") from error
    return read


def _whole(least: int, most: int = 100_000) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def _memory(value: Any) -> int:
    size = read_size(value)
    if size < LEAST_MEMORY_BYTES:
        raise ValueError("must be at least 512MiB, which a server with one model needs")
    return size


def _description(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION_LENGTH:
        raise ValueError(f"must be a text of at most {MAX_DESCRIPTION_LENGTH} characters")
    return value


TYPE_READERS: dict[str, Callable[[Any], Any]] = {
    "description": _description,
    "threads": _whole(1),
    "memory": _memory,
    "gpu": _whole(0, 64),
    "max_waiting": _whole(0),
    "concurrency": _whole(1, 1024),
}
