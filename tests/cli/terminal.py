"""The command line as a person meets it: in this process through its one door, or as a process of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from tests.fakes.bundles import make_bundle

from atrous.adapters.home import open_home
from atrous.workspace.models import publish_model
from atrous.workspace.records import Training, TrainingState
from atrous.workspace.workspaces import ensure_first_workspace

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from atrous.workspace.records import Model

TIMEOUT_S = 30
READY = re.compile(r"^serving .* at (https?://\S+) \(Ctrl-C ends\)$")
SECRET = re.compile(r"^[0-9a-f]{40}$")


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said; `out` are results, `err` is everything else."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.splitlines()[-1]

    @property
    def error(self) -> str:
        """The one sentence after `error:`."""
        (sentence,) = (line for line in self.err.splitlines() if line.startswith("error: "))
        return sentence.removeprefix("error: ")


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATROUS_")}
    # Nearly no test has jobs; a worker beside each server would take as long to start as the server.
    return kept | {"ATROUS_HOME": str(home), "ATROUS_WORKER": "off", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


def run_process(home: Path, *arguments: str, **options: Any) -> Said:
    command = [sys.executable, "-m", "atrous", *arguments]
    ended = subprocess.run(
        command, env=environment(home), capture_output=True, text=True, check=False, timeout=TIMEOUT_S, **options
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


def publish(home: Path, *, project: str = "road", version: int = 1, training: str = "t1", **bundle: Any) -> Model:
    """Publish a network of colours (tests/fakes/bundles.py) in the first workspace, as a training would."""
    ports = open_home(home)
    workspace = ensure_first_workspace(ports)
    record = Training(training, workspace, project, version, {}, TrainingState.DONE, ports.clock.now())
    ports.store.add_training(record)
    made = make_bundle(home.parent / f"made-{training}", model_id=f"{project}/{version}", **bundle)
    return publish_model(ports, record, made, {"miou": 0.75, "served_miou": None})


@dataclass
class Server:
    """`atrous serve --port 0` as a process; every line it writes is kept."""

    home: Path
    options: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Server:
        """Wait until it says where it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "atrous", "serve", "--port", "0", *self.options],
            env=environment(self.home) | {f"ATROUS_{name.upper()}": value for name, value in self.settings.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        found: queue.Queue[str | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, lines, found), daemon=True)
            for pipe, lines in ((self._process.stdout, self.out), (self._process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()
        try:
            address = found.get(timeout=TIMEOUT_S)
        except queue.Empty:
            address = None
        if address is None:
            self.__exit__()
            raise AssertionError("the server did not start:\n" + "\n".join(self.err))
        self.url = address
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._join()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def key(self) -> str:
        """What a first start prints, on another pipe than where it listens, so it may come a little later."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (found := [line for line in self.out if SECRET.match(line)]):
            assert time.monotonic() < deadline, "the server printed no key"
            time.sleep(0.01)
        return found[0]

    def ask_to_end(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """Ask it to end, and give how it did."""
        self.ask_to_end()
        self._process.wait(timeout=TIMEOUT_S)
        self._join()
        return self._process.returncode

    def _join(self) -> None:
        self._process.wait(timeout=TIMEOUT_S)
        for reader in self._readers:
            reader.join(timeout=TIMEOUT_S)

    @staticmethod
    def _read(pipe: IO[str], lines: list[str], found: queue.Queue[str | None]) -> None:
        with pipe:
            for line in pipe:
                lines.append(line.rstrip("\n"))
                ready = READY.match(lines[-1])
                if ready:
                    found.put(ready[1])
        found.put(None)
