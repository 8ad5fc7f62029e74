from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.cli.terminal import environment, publish

from atrous.adapters.home import close_home, open_home
from atrous.workspace.deployment import DeploymentReport, DeploymentState, LogEntry, UsageHour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.terminal import Said

    from atrous.workspace.ports import Ports

TYPES = """
[capacity]
threads = 4
memory = "8GiB"
gpus = 0

[machine_types.small]
description = "für Kameras"
threads = 1
memory = "2GiB"

[machine_types.large]
threads = 4
memory = "1.5GB"
"""


@pytest.fixture
def ports(home: Path) -> Iterator[Ports]:
    """A home with the model `road/1` and machine types; a host is played through the port."""
    home.mkdir()
    (home / "config.toml").write_text(TYPES, encoding="utf-8")
    publish(home)
    opened = open_home(home)
    yield opened
    close_home(opened)


def play_host(ports: Ports, state: DeploymentState, message: str = "") -> None:
    now = ports.clock.now()
    until = now + timedelta(hours=1)
    for one in ports.store.claim_deployments("host", ["small", "large"], now, until):
        report = DeploymentReport(state, message, served_revision=one.revision)
        ports.store.report_deployment(one.name, "host", report, now, until)


def test_machine_types_are_listed_with_what_is_free(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    said = atrous("deployment", "machine-type")
    assert said.code == 0
    assert "für Kameras" in said.out
    assert "large" in said.out
    assert "free: 3 threads, 6.0 GiB of memory; of 4 threads, 8.0 GiB of memory" in said.err


def test_a_deployment_is_made_as_it_was_ordered(ports: Ports, atrous: Callable[..., Said]) -> None:
    options = ["--model", "road/1", "--duration", "2.5", "--no-delete-on-expiration", "-e", "me@example.org"]
    said = atrous("deployment", "create", "road-cam", "-m", "small", *options)
    assert said.code == 0
    assert "/deployments/road-cam" in said.err
    (made,) = ports.store.list_deployments("main")
    assert (made.name, made.models, made.machine_type) == ("road-cam", ("road/1",), "small")
    assert (made.delete_on_expiration, made.creator_email) == (False, "me@example.org")
    assert made.expires == made.created + timedelta(hours=2.5)


def test_a_deployment_never_expires_unless_said(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    assert "never" in atrous("deployment", "list").out
    (made,) = ports.store.list_deployments("main")
    assert made.expires is None


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-m", "huge"], 3, "machine type 'huge': does not exist; choose of small, large"),
        (["-m", "small", "--model", "road/7"], 3, "model 'road/7': not found"),
        (["-m", "small", "--duration", "0"], 2, "duration of 0 hours"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("ports")
def test_what_cannot_be_is_refused(atrous: Callable[..., Said], options: list[str], code: int, said: str) -> None:
    refused = atrous("deployment", "create", "road-cam", *options)
    assert refused.code == code
    assert said in refused.error


def test_what_does_not_fit_is_refused_with_the_reason(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    refused = atrous("deployment", "create", "sea-cam", "-m", "large")
    assert refused.code == 5
    assert "needs 4 threads, of which 3 are free" in refused.error
    assert len(ports.store.list_deployments()) == 1


def test_a_config_file_that_cannot_be_is_refused_by_name(home: Path, atrous: Callable[..., Said]) -> None:
    home.mkdir()
    (home / "config.toml").write_text('[machine_types.small]\nthreads = 1\nmemory = "some"\n', encoding="utf-8")
    refused = atrous("deployment", "machine-type")
    assert refused.code == 2
    assert "[machine_types.small] memory='some'" in refused.error


def test_a_life_from_pending_to_gone(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    assert "pending" in atrous("deployment", "get", "road-cam").out
    play_host(ports, DeploymentState.READY)
    assert "ready" in atrous("deployment", "get", "road-cam", "--wait").out
    assert "resume road-cam" in atrous("deployment", "pause", "road-cam").err
    play_host(ports, DeploymentState.PAUSED)
    assert "paused" in atrous("deployment", "list").out
    assert atrous("deployment", "resume", "road-cam").code == 0
    assert "road/1" in atrous("deployment", "update", "road-cam", "--model", "road/1").err
    (made,) = ports.store.list_deployments()
    assert (made.state, made.models) == (DeploymentState.PENDING, ("road/1",))
    assert atrous("deployment", "delete", "road-cam").code == 0
    assert "deleting" in atrous("deployment", "list").out
    ports.store.remove_deployment("road-cam", "host")
    assert atrous("deployment", "get", "road-cam").code == 3


def test_who_waits_is_told_why_it_failed(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    play_host(ports, DeploymentState.FAILED, "model 'road/1': its folder is gone")
    said = atrous("deployment", "get", "road-cam", "--wait")
    assert said.code == 1
    assert "its folder is gone" in said.error


@pytest.mark.usefixtures("ports")
def test_an_update_names_models(atrous: Callable[..., Said]) -> None:
    assert "--model" in atrous("deployment", "update", "road-cam").error


def test_use_is_shown_by_hour(ports: Ports, atrous: Callable[..., Said]) -> None:
    hour = ports.clock.now().replace(minute=0, second=0, microsecond=0)
    ports.store.add_usage([UsageHour("main", "road-cam", "road/1", "k1", hour, 3, 4321, 0.5)])
    ports.store.add_usage([UsageHour("main", "", "road/1", "k1", hour - timedelta(days=3), 1, 1234, 0.5)])
    shown = atrous("deployment", "usage").out
    assert "4321" in shown
    assert "1234" not in shown
    assert "1234" in atrous("deployment", "usage", "--from", (hour - timedelta(days=4)).isoformat()).out
    assert "4321" in atrous("deployment", "usage", "road-cam").out
    assert atrous("deployment", "usage", "sea-cam").code == 3
    assert "--from 'soon'" in atrous("deployment", "usage", "--from", "soon").error


def test_the_log_is_shown_oldest_first(ports: Ports, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    now = ports.clock.now()
    lines = [LogEntry(f"{one}", now - timedelta(seconds=9 - one), f"Zeile {one}") for one in range(5)]
    ports.store.add_log_entries("road-cam", lines, keep=9)
    shown = atrous("deployment", "log", "road-cam", "-n", "3").out.splitlines()
    assert [line.split("] ")[1] for line in shown] == ["Zeile 2", "Zeile 3", "Zeile 4"]


def test_who_follows_a_log_sees_each_line_once(ports: Ports, home: Path, atrous: Callable[..., Said]) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small")
    command = [sys.executable, "-m", "atrous", "deployment", "log", "road-cam", "-f"]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            for number in range(2):
                line = LogEntry(f"{number}", ports.clock.now(), f"Zeile {number}")
                ports.store.add_log_entries("road-cam", [line], keep=9)
                assert following.stdout.readline().endswith(f"] Zeile {number}\n")
        finally:
            following.terminate()
        assert following.stdout.read() == ""


def test_a_restored_deployment_is_at_no_address_and_held_by_nobody(
    ports: Ports, home: Path, atrous: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    atrous("deployment", "create", "road-cam", "-m", "small", "--model", "road/1")
    now = ports.clock.now()
    ports.store.claim_deployments("host", ["small"], now, now + timedelta(hours=1))
    report = DeploymentReport(DeploymentState.READY, address="http://127.0.0.1:40123", served_revision=1)
    ports.store.report_deployment("road-cam", "host", report, now, now + timedelta(hours=1))
    ports.store.add_log_entries("road-cam", [LogEntry("1", now, "Zeile")], keep=9)
    hour = UsageHour("main", "road-cam", "road/1", "k1", now, 1, 1, 0.5)
    ports.store.add_usage([hour])
    assert atrous("backup", "saved").code == 0
    monkeypatch.setenv("ATROUS_HOME", str(home.parent / "again"))
    assert atrous("restore", "saved").code == 0
    came = open_home(home.parent / "again")
    (restored,) = came.store.list_deployments()
    assert (restored.name, restored.models) == ("road-cam", ("road/1",))
    assert (restored.state, restored.address, restored.owner) == (DeploymentState.PENDING, "", "")
    assert came.store.list_usage("main", now, now + timedelta(seconds=1)) == [hour]
    assert len(came.store.list_log_entries("road-cam", now, now, 9)) == 1
    close_home(came)
