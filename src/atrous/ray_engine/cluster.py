"""The Ray cluster that this process works with."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from atrous.core.cores import count_cores
from atrous.core.errors import UnavailableError

# Read by Ray when it is imported: nothing about this machine is sent to anybody, and what its own processes tell each
# other stays in their logs.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

import ray
from ray.data import DataContext
from ray.exceptions import RayError

if TYPE_CHECKING:
    from collections.abc import Generator

ADDRESS = "RAY_ADDRESS"
# Of a cluster on this machine alone: a bundle and the numbers of shards are all that goes through it.
OBJECT_STORE_BYTES = 256 * 2**20
KNOCK_TIMEOUT_S = 10


@contextmanager
def join_cluster(*, cores: int = 0, address: str = "") -> Generator[None]:
    """Be part of a cluster within the block, of one that this process is in already or of another one.

    Args:
        cores: at least so many are claimed of a cluster that is begun here, and shared if there are fewer.
        address: of the cluster, in place of `RAY_ADDRESS`.

    Raises:
        UnavailableError: if the cluster cannot be reached.
    """
    _quieten()
    if ray.is_initialized():
        yield
        return
    _connect(find_address(address), cores)
    try:
        yield
    finally:
        ray.shutdown()


def find_address(named: str = "") -> str | None:
    """Where the cluster is: as it is named, or as `RAY_ADDRESS` says; None for one that is begun here."""
    return named or os.environ.get(ADDRESS) or None


def wait_for(reference: Any) -> Any:
    """What an actor or task answers; Ray's own types do not tell."""
    return ray.get(reference)


def _connect(address: str | None, cores: int) -> None:
    own: dict[str, Any] = {
        "num_cpus": max(cores, count_cores()),
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    try:
        _knock(address)
        with _keeping_sigterm():
            ray.init(
                address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else own)
            )
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise UnavailableError(
            f"{ADDRESS}={address or 'local'}: no Ray cluster can be used there ({describe_fault(error)}); check that "
            "it runs, has the same release of Ray and takes this machine's RAY_AUTH_TOKEN"
        ) from error


@contextmanager
def _keeping_sigterm() -> Generator[None]:
    """Leave SIGTERM to whom it was left before; Ray takes it for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _knock(address: str | None) -> None:
    """Find out in seconds that nobody listens at `HOST:PORT`; Ray would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.removeprefix("ray://").strip("[]"), int(port)), KNOCK_TIMEOUT_S).close()


def _quieten() -> None:
    """Leave the terminal to progress and results."""
    for name in ("ray", "ray.data", "ray.serve", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False


def describe_fault(error: Exception) -> str:
    """What Ray says of an error, without its traceback."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
