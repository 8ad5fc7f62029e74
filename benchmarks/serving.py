"""The real server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from atrous.adapters.home import open_home
from atrous.core.errors import AtrousError
from atrous.workspace.models import publish_model
from atrous.workspace.records import Training, TrainingState
from atrous.workspace.workspaces import ensure_first_workspace
from benchmarks.models import MODEL_ID, PROJECT

if TYPE_CHECKING:
    from collections.abc import Generator

READY_LIMIT_S = 120
END_LIMIT_S = 60
POLL_S = 0.01
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready.

    Attributes:
        url: its address.
        pid: its process.
        start_s: from the start of the process until `/readiness` said that it is ready.
    """

    url: str
    pid: int
    start_s: float

    @property
    def model_url(self) -> str:
        """Where pictures for the model that was published are posted."""
        return f"{self.url}/{MODEL_ID}"


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a process and those that it started: what it holds now and the most it ever held."""

    rss_mib: float
    peak_mib: float


def publish_bundle(bundle: Path, home: Path) -> None:
    """Let a server on this home, which is made if it is not there, serve a bundle."""
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


@contextmanager
def serve(home: Path, *, auth: bool = False, **variables: str) -> Generator[Server]:
    """Run a server on a home of its own, without a worker beside it, and end it afterwards.

    Args:
        home: made if it is not there; its log goes into it.
        auth: ask callers for a key.
        variables: of its environment, `ATROUS_…` of this process's own not being passed on.
    """
    home.mkdir(parents=True, exist_ok=True)
    port = _find_free_port()
    auth_word = "on" if auth else "off"
    command = [sys.executable, "-m", "atrous", "serve", "--auth", auth_word, "--port", str(port), "--no-worker"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATROUS_")}
    log = home / "server.log"
    with log.open("w") as lines:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment | variables | {"ATROUS_HOME": str(home)}, stdout=lines, stderr=lines
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}", log)
        yield Server(f"http://127.0.0.1:{port}", process.pid, time.perf_counter() - started_s)
    except AtrousError:
        print(f"the server's log ends with:\n{_read_end(log)}", file=sys.stderr)
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(END_LIMIT_S)


def read_memory(pid: int) -> Memory:
    """What a process and its children hold, as Linux tells it."""
    pids = [pid, *_find_children(pid)]
    return Memory(
        sum(_read_status(one, "VmRSS") for one in pids) / MIB, sum(_read_status(one, "VmHWM") for one in pids) / MIB
    )


def _read_status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{name}:"))


def _find_children(pid: int) -> list[int]:
    found = [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    return [*found, *(grandchild for child in found for grandchild in _find_children(child))]


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + READY_LIMIT_S
    with httpx.Client() as client:
        while process.poll() is None and time.monotonic() < deadline_s:
            try:
                if client.get(f"{url}/readiness").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(POLL_S)
    raise SystemExit(f"error: the server did not become ready:\n{_read_end(log)}")


def _read_end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
