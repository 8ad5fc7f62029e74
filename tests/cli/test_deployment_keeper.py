"""`atrous serve` and the deployments that are kept beside it, as real processes."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from tests.cli.terminal import Server, publish
from tests.fakes.pictures import RED, encode_squares
from tests.worker.place import is_alive, wait_until

from atrous.adapters.home import open_home
from atrous.workspace.deployment import Deployment, DeploymentState
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atrous.workspace.ports import Ports

PICTURE = base64.b64encode(encode_squares([[RED]]))
NAME = "road-cam"
WORKSPACE = "main"
LONG_S = 60
CONFIG = """
[machine_types.one]
threads = 1
memory = "2GiB"
max_waiting = 500
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `road/1` and `road/2`, of which the second has other classes."""
    folder = tmp_path_factory.mktemp("deployments") / "home"
    publish(folder)
    publish(folder, version=2, training="t2", class_names=("background", "rot", "grün", "blau"))
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def ports(home: Path) -> Ports:
    return open_home(home)


@pytest.fixture(scope="module")
def server(home: Path, ports: Ports) -> Iterator[Server]:
    """A server beside which a deployment of `road/1` has become ready."""
    with Server(home) as running:
        now = ports.clock.now()
        ports.store.add_deployment(Deployment(NAME, WORKSPACE, "one", "", now, ("road/1",)))
        wait_for(ports, DeploymentState.READY)
        yield running


def find(ports: Ports) -> Deployment:
    found = ports.store.find_deployment(NAME)
    assert found is not None
    return found


def wait_for(ports: Ports, state: DeploymentState, **fields: object) -> None:
    def is_there() -> bool:
        found = find(ports)
        return found.state is state and all(getattr(found, name) == value for name, value in fields.items())

    wait_until(is_there, LONG_S)


def find_process(ports: Ports) -> int:
    """The process that listens where a deployment answers."""
    port = urlsplit(find(ports).address).port
    told = f"{port:04X}"
    sockets = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{told}") and line.split()[3] == "0A"
    }
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and b"--address-fd" in _read(entry / "cmdline").split(b"\0"):
            for link in (entry / "fd").iterdir():
                if _resolve(link) in {f"socket:[{inode}]" for inode in sockets}:
                    return int(entry.name)
    raise AssertionError("nobody listens there")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _resolve(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def ask(server: Server, key: str, version: int = 1) -> httpx.Response:
    url = f"{server.url}/deployments/{NAME}/road/{version}"
    return httpx.post(url, content=PICTURE, params={"api_key": key}, timeout=LONG_S)


def test_a_deployment_answers_for_its_workspace_with_its_model_in_memory(server: Server, ports: Ports) -> None:
    _, key = create_key(ports, WORKSPACE, "tests")
    answer = ask(server, key)
    assert answer.status_code == 200
    assert answer.headers["x-model-cold-start"] == "false"
    ports.store.add_workspace("other")
    _, foreign = create_key(ports, "other", "tests")
    assert ask(server, foreign).status_code == 401
    assert httpx.get(f"{server.url}/deployments/{NAME}/info", timeout=LONG_S).json()["deployment"] == NAME


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to cores")
def test_all_threads_of_a_deployment_keep_to_its_cores(server: Server, ports: Ports) -> None:
    tasks = Path(f"/proc/{find_process(ports)}/task")
    allowed = {len(os.sched_getaffinity(int(task.name))) for task in tasks.iterdir()}
    assert allowed == {1}
    assert server.url


def test_no_request_fails_while_the_models_of_a_deployment_change(server: Server, ports: Ports) -> None:
    _, key = create_key(ports, WORKSPACE, "tests")
    before, process = find(ports), find_process(ports)
    statuses: list[int] = []
    is_over = threading.Event()

    def ask_again_and_again() -> None:
        while not is_over.is_set():
            statuses.append(ask(server, key).status_code)

    client = threading.Thread(target=ask_again_and_again)
    client.start()
    ports.store.order_deployment(NAME, models=["road/2"])
    wait_for(ports, DeploymentState.READY, served_revision=2)
    wait_until(lambda: not is_alive(process), LONG_S)
    is_over.set()
    client.join()
    assert find(ports).address != before.address
    assert set(statuses) == {200}
    assert ask(server, key, version=2).headers["x-model-cold-start"] == "false"


def test_the_log_of_a_deployment_is_lines_of_json_without_the_keepers_questions(server: Server, ports: Ports) -> None:
    def list_messages() -> list[str]:
        entries = ports.store.list_log_entries(NAME, find(ports).created, ports.clock.now(), 1000)
        return [json.loads(entry.payload)["message"] for entry in entries]

    httpx.get(f"{server.url}/deployments/{NAME}/info", timeout=LONG_S)
    wait_until(lambda: any(message.startswith("GET /info 200") for message in list_messages()), LONG_S)
    assert "deployment road-cam: ready" in list_messages()
    assert not [message for message in list_messages() if "/readiness" in message or "/healthz" in message]


def test_with_a_killed_server_its_keeper_and_deployments_end_too(server: Server, ports: Ports) -> None:
    process = find_process(ports)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(process), LONG_S)
    wait_until(lambda: not find(ports).owner, LONG_S)
    assert (find(ports).state, find(ports).address) == (DeploymentState.PENDING, "")
