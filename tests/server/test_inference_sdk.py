"""The real inference-sdk against a real server on loopback, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.responses import JSONResponse
from tests.fakes.pictures import BLACK, BLUE, RED, encode_squares
from tests.server import deployed

from atrous.server.app import create_app
from atrous.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send
    from tests.server.place import Place

VARIABLE = "ATROUS_CLIENT_PYTHON"
CLIENT = os.environ.get(VARIABLE)
SCRIPT = Path(__file__).with_name("sdk_script.py")
SAMPLE = Path(__file__).parents[3] / "shared" / "acceptance" / "seed_sample.py"

pytestmark = pytest.mark.skipif(not CLIENT, reason=f"set {VARIABLE} to a Python that has inference-sdk")


class Flaky:
    """Answers every first request of a path with 503, as a server under load may."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.refused: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_retried = path.startswith(("/infer/", "/road/", "/workflows/"))
        if scope["type"] == "http" and is_retried and path not in self.refused:
            self.refused.append(path)
            await JSONResponse({"message": "busy"}, 503, {"Retry-After": "1"})(scope, receive, send)
            return
        await self._app(scope, receive, send)


def serve(app: ASGIApp) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


def run_client(url: str, key: str, picture: Path) -> dict[str, Any]:
    return json.loads(run_script(SCRIPT, url, key, str(picture)).splitlines()[-1])


def run_script(script: Path, *arguments: str) -> str:
    assert CLIENT
    command = [CLIENT, str(script), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(encode_squares([[RED, BLACK, BLUE]]))
    return path


def test_the_sdk_gets_what_it_expects_in_every_mode(place: Place, picture: Path) -> None:
    place.publish()
    for url in serve(create_app(Settings(), place.ports)):
        seen = run_client(url, place.key, picture)
    assert {name: what for name, what in seen.items() if what is not True} == {}


def test_the_sdk_gets_over_a_busy_server_by_its_retries(place: Place, picture: Path) -> None:
    place.publish()
    flaky = Flaky(create_app(Settings(), place.ports))
    for url in serve(flaky):
        seen = run_client(url, place.key, picture)
    assert len(flaky.refused) >= 3
    assert {name: what for name, what in seen.items() if what is not True} == {}


def test_the_sdk_gets_the_same_from_a_deployment_below_its_prefix(place: Place, picture: Path) -> None:
    place.publish()
    app = create_app(Settings(deployment="alpha", only_workspace="acme"), place.ports)
    with deployed.serve(app) as address, deployed.serve(create_app(Settings(), place.ports)) as url:
        deployed.deploy(place.ports.store, address)
        seen = run_client(f"{url}/deployments/alpha", place.key, picture)
    assert {name: what for name, what in seen.items() if what is not True} == {}


@pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample of the seed is not on this machine")
def test_the_seeds_sample_runs_through_a_deployment(place: Place, picture: Path) -> None:
    place.publish()
    app = create_app(Settings(deployment="alpha", only_workspace="acme"), place.ports)
    with deployed.serve(app) as address, deployed.serve(create_app(Settings(), place.ports)) as url:
        deployed.deploy(place.ports.store, address)
        target = ["--api-url", f"{url}/deployments/alpha", "--model-id", "road/1", "--api-key", place.key]
        done = run_script(SAMPLE, *target, "--image", str(picture), "--expect", "red", "blue")
    assert "2 classes found" in done
