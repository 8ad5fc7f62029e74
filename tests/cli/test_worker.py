"""`atrous worker` by itself, and beside a server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import TIMEOUT_S, Server, environment, run_process
from tests.worker.place import is_alive, wait_until

from atrous.adapters.home import open_home
from atrous.workspace.jobs import add_job
from atrous.workspace.records import JobKind, JobState
from atrous.workspace.workspaces import ensure_first_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.terminal import Said

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job


@pytest.fixture
def ports(home: Path) -> Ports:
    opened = open_home(home)
    ensure_first_workspace(opened)
    return opened


def add(ports: Ports) -> Job:
    """A job that has nothing to do."""
    (workspace,) = ports.store.list_workspaces()
    return add_job(ports, JobKind.METADATA, workspace, "nothing", {"edits": []})


def state_of(ports: Ports, job: Job) -> JobState:
    (found,) = [one for one in ports.queue.list_jobs() if one.id == job.id]
    return found.state


def find_worker(server: Server) -> int | None:
    """The process that does the jobs beside a server."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if parent == server.pid and b"worker" in command:
                return int(entry.name)
    return None


def wait_for_worker(server: Server, other_than: int | None = None) -> int:
    wait_until(lambda: find_worker(server) not in {None, other_than})
    found = find_worker(server)
    assert found is not None
    return found


def test_a_worker_does_what_is_queued_and_ends(home: Path, ports: Ports) -> None:
    job = add(ports)
    said = run_process(home, "worker", "--once")
    assert said.code == 0, said.err
    assert f"working for {home}: " in said.err
    assert "job done: metadata nothing" in said.err
    assert state_of(ports, job) is JobState.DONE


def test_a_worker_takes_only_the_kinds_it_is_told(home: Path, ports: Ports) -> None:
    job = add(ports)
    assert run_process(home, "worker", "--once", "--kinds", "train").code == 0
    assert state_of(ports, job) is JobState.QUEUED


@pytest.mark.parametrize("kinds", ["dream", "train,", ""])
def test_kinds_that_there_are_not_are_named(atrous: Callable[..., Said], kinds: str) -> None:
    said = atrous("worker", "--once", "--kinds", kinds)
    assert said.code == 2
    assert "unknown; choose of " in said.error


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_when_asked(home: Path, ports: Ports, sig: signal.Signals) -> None:
    command = [sys.executable, "-m", "atrous", "worker"]
    with subprocess.Popen(command, env=environment(home), stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        assert "(Ctrl-C ends)" in worker.stderr.readline()
        worker.send_signal(sig)
        assert worker.wait(TIMEOUT_S) == 0
        assert "Traceback" not in worker.stderr.read()


def test_a_server_has_a_worker_that_is_replaced_and_ends_with_it(home: Path, ports: Ports) -> None:
    with Server(home, settings={"worker": "on"}) as server:
        first = wait_for_worker(server)
        job = add(ports)
        wait_until(lambda: state_of(ports, job) is JobState.DONE)
        os.kill(first, signal.SIGKILL)
        second = wait_for_worker(server, other_than=first)
        job = add(ports)
        wait_until(lambda: state_of(ports, job) is JobState.DONE)
        assert server.end() in (0, -signal.SIGTERM)
        assert not is_alive(second)


def test_a_worker_ends_with_a_server_that_was_killed(home: Path, ports: Ports) -> None:
    with Server(home, settings={"worker": "on"}) as server:
        worker = wait_for_worker(server)
        # Once it has begun: one that is still being imported ends a little later.
        job = add(ports)
        wait_until(lambda: state_of(ports, job) is JobState.DONE)
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(worker))


def test_a_server_may_do_without_a_worker(home: Path, ports: Ports) -> None:
    with Server(home, ("--no-worker",), settings={"worker": "on"}) as server:
        assert find_worker(server) is None
