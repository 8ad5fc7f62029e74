"""A home with deployments, and keepers whose servers start at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.ports import _empty_database
from tests.worker.place import is_alive, wait_until

from atrous.adapters.home import open_home
from atrous.worker.deployments.keeper import Keeper, Plan
from atrous.worker.deployments.launch import Launch
from atrous.worker.deployments.pace import Pace
from atrous.workspace.deployment import Deployment, DeploymentState
from atrous.workspace.machine_types import Machine, MachineType

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[2]
NAME = "road-cam"
SMALL = MachineType("small", "", threads=1, memory_bytes=60_000_000)
PACE = Pace(
    poll_s=0.05, lease_s=1.5, linger_s=0.2, drain_s=3, end_s=3, start_s=10, probe_s=0.01, health_s=0.1, answer_s=5
)


def plan_stub(deployment: Deployment, machine: MachineType, **_: Any) -> Launch:
    command = [sys.executable, str(ROOT / "tests/worker/stub_server.py"), deployment.name, ",".join(deployment.models)]
    return Launch([*command, str(deployment.revision)], {}, (), machine.memory_bytes)


def make_plan(pace: Pace = PACE, machine: Machine = Machine(8, 8 * SMALL.memory_bytes, 0)) -> Plan:  # noqa: B008
    return Plan({SMALL.name: SMALL}, machine, (), "127.0.0.1", {}, pace, plan_stub)


@dataclass
class DeploymentPlace:
    """A home with a workspace, and what is asked of its deployments."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700)
        (self.home / "atrous.db").write_bytes(_empty_database())
        self.ports = open_home(self.home)
        self.ports.store.add_workspace("acme")

    def add(self, *models: str, name: str = NAME, **fields: Any) -> None:
        now = datetime.now(UTC)
        self.ports.store.add_deployment(Deployment(name, "acme", SMALL.name, "", now, models, **fields))

    def order(self, name: str = NAME, **wanted: Any) -> None:
        assert self.ports.store.order_deployment(name, **wanted)

    def find(self, name: str = NAME) -> Deployment:
        found = self.ports.store.find_deployment(name)
        assert found is not None
        return found

    def wait_for(self, state: DeploymentState, name: str = NAME, **fields: Any) -> Deployment:
        """The deployment, once it is in this state and its fields are these."""

        def is_there() -> bool:
            found = self.find(name)
            return found.state is state and all(getattr(found, key) == value for key, value in fields.items())

        wait_until(is_there)
        return self.find(name)

    def ask(self, name: str = NAME) -> dict[str, Any]:
        """What the server of a deployment answers."""
        with urllib.request.urlopen(f"{self.find(name).address}/ask", timeout=10) as reply:
            return json.load(reply)

    def kill(self, name: str = NAME) -> int:
        """Kill the server of a deployment and give its pid."""
        pid = self.ask(name)["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def list_lines(self, name: str = NAME) -> list[str]:
        """What is in the log of a deployment, oldest first."""
        entries = self.ports.store.list_log_entries(name, datetime.min.replace(tzinfo=UTC), datetime.now(UTC), 100)
        return [entry.payload for entry in reversed(entries)]

    @contextmanager
    def keeping(self, plan: Plan | None = None, store: Any = None) -> Generator[Keeper]:
        """Have a keeper in this process at work meanwhile; `store` replaces ours."""
        keeper = Keeper(replace(self.ports, store=store or self.ports.store), plan or make_plan())
        thread = threading.Thread(target=keeper.run, daemon=True)
        thread.start()
        try:
            yield keeper
        finally:
            keeper.ask_to_end()
            thread.join(10)

    def start_keeper(self) -> subprocess.Popen[bytes]:
        """A keeper in a process of its own."""
        command = [sys.executable, "-m", "tests.worker.deployment_place", str(self.home)]
        keeper = subprocess.Popen(command, cwd=ROOT)
        self.processes.append(keeper)
        return keeper

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def wait_for_end(pid: int) -> None:
    wait_until(lambda: not is_alive(pid))


def main() -> None:
    keeper = Keeper(open_home(Path(sys.argv[1])), make_plan())
    signal.signal(signal.SIGTERM, lambda *_: keeper.ask_to_end())
    keeper.run()


if __name__ == "__main__":
    main()
