"""The real `roboflow deployment` against a real server on loopback; the host of the deployments is played."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.test_deployments import FLEET, play_host
from tests.server.test_inference_sdk import CLIENT, VARIABLE, serve

from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.workspace.deployment import DeploymentState, LogEntry, UsageHour

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.place import Place

pytestmark = pytest.mark.skipif(not CLIENT, reason=f"set {VARIABLE} to a Python that has the roboflow package")

COMMAND = "import sys; from roboflow.roboflowpy import main; sys.argv[0] = 'roboflow'; sys.exit(main())"


@dataclass(frozen=True)
class Command:
    """`roboflow --api-key KEY deployment`, with nothing of this user's own configuration."""

    url: str
    key: str
    home: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        assert CLIENT
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ROBOFLOW"))}
        environment |= {"HOME": str(self.home), "DEDICATED_DEPLOYMENT_URL": f"{self.url}/dedicated"}
        command = [CLIENT, "-c", COMMAND, "--api-key", self.key, "deployment", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def read(self, *words: str) -> Any:
        """What it printed, of which the last part is JSON."""
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout[ended.stdout.index("{") :])


@pytest.fixture
def roboflow(place: Place, tmp_path: Path) -> Iterator[Command]:
    for url in serve(create_app(Settings(), place.ports, fleet=FLEET)):
        yield Command(url, place.key, tmp_path)


def test_a_deployment_is_made_shown_paused_resumed_and_deleted(roboflow: Command, place: Place) -> None:
    assert [one["name"] for one in roboflow.read("machine-type")["machine_types"]] == list(FLEET.types)
    made = roboflow.read("create", "road-cam", "-m", "dev-cpu", "-e", "me@example.org", "--duration", "1.5")
    assert (made["status"], made["duration"], made["delete_on_expiration"]) == ("pending", 1.5, True)
    assert made["deployment_url"] == f"{roboflow.url}/deployments/road-cam"
    play_host(place, DeploymentState.READY)
    assert roboflow.read("get", "road-cam", "--wait")["status"] == "ready"
    assert [one["status"] for one in roboflow.read("list")["deployments"]] == ["ready"]
    assert roboflow.read("pause", "road-cam")["deployment_name"] == "road-cam"
    play_host(place, DeploymentState.PAUSED)
    assert roboflow.read("get", "road-cam")["status"] == "paused"
    assert roboflow.read("resume", "road-cam")["status"] == "pending"
    assert roboflow.read("delete", "road-cam")["status"] == "deleting"


def test_what_is_refused_is_said_in_our_words(roboflow: Command) -> None:
    refused = roboflow.run("create", "road-cam", "-m", "gpu-small", "-e", "me@example.org")
    assert refused.returncode == 1
    assert "machine type 'gpu-small': does not exist; choose of dev-cpu, prod-gpu" in refused.stderr
    assert "plan" not in refused.stderr
    unknown = roboflow.run("get", "road-cam")
    assert unknown.returncode == 1
    assert "deployment 'road-cam': not found" in unknown.stderr


def test_use_is_told_as_json(roboflow: Command, place: Place) -> None:
    hour = datetime.now().astimezone().replace(minute=0, second=0, microsecond=0)
    place.ports.store.add_usage([UsageHour("acme", "road-cam", "road/1", "k1", hour.astimezone(UTC), 3, 7, 0.5)])
    assert roboflow.read("usage")["deployments"][0]["pictures"] == 7
    assert roboflow.read("usage", "road-cam")["requests"] == 3
    long_ago = (hour - timedelta(days=9)).isoformat()
    assert roboflow.read("usage", "--from", long_ago, "--to", (hour - timedelta(days=8)).isoformat())["requests"] == 0


def test_a_log_is_shown_oldest_first(roboflow: Command, place: Place) -> None:
    roboflow.read("create", "road-cam", "-m", "dev-cpu", "-e", "me@example.org")
    now = datetime.now(UTC)
    lines = [LogEntry(f"{one}", now - timedelta(seconds=9 - one), f"Zeile {one}") for one in range(5)]
    place.ports.store.add_log_entries("road-cam", lines, keep=9)
    shown = roboflow.run("log", "road-cam", "-n", "3").stdout.splitlines()
    assert [line.split("] ")[1] for line in shown] == ["Zeile 2", "Zeile 3", "Zeile 4"]
