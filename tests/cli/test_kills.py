"""Worker, server or both are killed again and again while clients upload, make versions, train and export.

`ATROUS_TEST_KILLS` says how often, `ATROUS_TEST_SEED` which way.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from tests.cli.terminal import Server, run_process
from tests.cli.test_worker import find_worker
from tests.fakes.datasets import CLASS_MAP, draw_picture, encode_png
from tests.worker.place import wait_until

from atrous.adapters.home import open_home
from atrous.workspace.projects import create_project
from atrous.workspace.records import JobKind, JobState, VersionState
from atrous.workspace.trainings import IN_FLIGHT

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ATROUS_TEST_KILLS", "6"))
SEED = int(os.environ.get("ATROUS_TEST_SEED", "0"))
SETTINGS = {"worker": "on", "train_encoder_weights": "none"}
VERSION_SETTINGS = {
    "preprocessing": {"resize": {"width": 64, "height": 64, "format": "Stretch to"}},
    "augmentation": {"flip": {"horizontal": True, "vertical": False}, "image": {"versions": 3}},
}
RECIPE = {"hyperparameters": {"epochs": 3, "batch_size": 2, "device": "cpu", "workers": 0, "decoder_channels": 16}}
PICTURES_FOR_A_VERSION = 12
LARGEST_VERSIONS, LARGEST_TRAININGS = 6, 2
SETTLED_S = 600
# What is left of a lease that its worker still renews.
NEARLY_WHOLE_LEASE = timedelta(seconds=12)
WORKSPACE = "main"


@dataclass
class Client:
    """Asks for things one after the other, and remembers what was answered."""

    key: str
    url: str = ""
    pictures: dict[str, str] = field(default_factory=dict)
    masks: set[str] = field(default_factory=set)
    versions: list[int] = field(default_factory=list)
    trainings: list[str] = field(default_factory=list)
    exports: set[tuple[int, str]] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    is_ending: bool = False

    def run(self) -> None:
        rng, number = np.random.default_rng(SEED), 0
        while not self.is_ending:
            number += 1
            self.upload(rng, number)
            if len(self.pictures) >= PICTURES_FOR_A_VERSION and number % 4 == 0:
                self.ask_for_more(number)

    def upload(self, rng: np.random.Generator, number: int) -> None:
        image_HWC, mask_HW = draw_picture(rng)
        image, split = encode_png(image_HWC), ("valid" if number % 4 == 0 else "train")
        reply = self.post("/dataset/road/upload", files={"file": (f"p{number}.png", image)}, data={"split": split})
        if reply is not None:
            self.pictures[reply["id"]] = hashlib.sha256(image).hexdigest()
            mask = {"file": (f"p{number}_mask.png", encode_png(mask_HW))}
            if self.post("/dataset/road/upload", files=mask, data={"split": split}) is not None:
                self.masks.add(reply["id"])

    def ask_for_more(self, number: int) -> None:
        if len(self.versions) < LARGEST_VERSIONS:
            reply = self.post(f"/{WORKSPACE}/road/generate", json=VERSION_SETTINGS)
            if reply is not None:
                self.versions.append(int(reply["version"]))
        for version in self.versions:
            found = self.send("GET", f"/{WORKSPACE}/road/{version}")
            if found is None or found["version"]["generating"]:
                continue
            if len(self.trainings) < LARGEST_TRAININGS:
                reply = self.post(f"/{WORKSPACE}/road/{version}/v2/trainings", json={"trainRecipe": RECIPE})
                if reply is not None:
                    self.trainings.append(reply["trainingId"])
            format_name = ("coco", "png-mask-semantic")[number % 2]
            if self.send("GET", f"/{WORKSPACE}/road/{version}/{format_name}") is not None:
                self.exports.add((version, format_name))

    def post(self, path: str, **content: Any) -> dict[str, Any] | None:
        return self.send("POST", path, **content)

    def send(self, method: str, path: str, **content: Any) -> dict[str, Any] | None:
        """The answer; None if there was none, as the server was killed or is about to begin."""
        try:
            headers = {"authorization": f"Bearer {self.key}"}
            reply = httpx.request(method, self.url + path, headers=headers, timeout=30, **content)
        except httpx.TransportError:
            time.sleep(0.1)
            return None
        if reply.status_code >= 400:
            self.unexpected.append(f"{path} {reply.status_code} {reply.text[:300]}")
            return None
        return reply.json()


def is_settled(ports: Ports) -> bool:
    versions = ports.store.list_versions(WORKSPACE, "road")
    return (
        all(job.state.is_final for job in ports.queue.list_jobs())
        and all(version.state is not VersionState.GENERATING for version in versions)
        and not ports.store.list_open_trainings()
    )


def wait_for_work(ports: Ports) -> None:
    """Wait until a worker has a job, or for as long as one takes to begin and to take over what is left."""
    deadline_s = time.monotonic() + 40
    while time.monotonic() < deadline_s:
        jobs = [job for job in ports.queue.list_jobs() if job.state is JobState.RUNNING]
        if any(job.leased_until and job.leased_until - ports.clock.now() > NEARLY_WHOLE_LEASE for job in jobs):
            return
        time.sleep(0.1)


def kill(rng: random.Random, server: Server) -> bool:
    """Kill worker, server or both; whether the server is among them."""
    victim = rng.choice(["worker", "server", "both"])
    worker = find_worker(server)
    if victim != "server" and worker is not None:
        os.kill(worker, signal.SIGKILL)
    if victim != "worker":
        os.kill(server.pid, signal.SIGKILL)
    return victim != "worker"


def test_nothing_that_was_answered_is_lost_by_kills(home: Path) -> None:
    rng = random.Random(SEED)
    server = Server(home, settings=SETTINGS).__enter__()
    ports = open_home(home)
    (workspace,) = ports.store.list_workspaces()
    assert workspace == WORKSPACE
    project = create_project(ports, workspace, "road")
    ports.store.extend_classes(workspace, project.slug, CLASS_MAP.names[1:])
    client = Client(server.key, server.url)
    asking = threading.Thread(target=client.run)
    asking.start()
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.5, 8))
            if kill(rng, server):
                server.__exit__()
                server = Server(home, settings=SETTINGS).__enter__()
                client.url = server.url
        wait_until(lambda: client.trainings and client.exports, SETTLED_S)
        client.is_ending = True
        asking.join()
        wait_until(lambda: is_settled(ports), SETTLED_S)
        assert server.end() in (0, -signal.SIGTERM)
    finally:
        client.is_ending = True
        asking.join()
        server.__exit__()
    check_all_is_there(home, ports, client)


def check_all_is_there(home: Path, ports: Ports, client: Client) -> None:
    print(  # noqa: T201 - for whoever counts with `pytest -s`
        f"{KILLS} kills; {len(client.pictures)} pictures, {len(client.masks)} masks, versions {client.versions}, "
        f"trainings {client.trainings}, exports {sorted(client.exports)}"
    )
    assert client.unexpected == []
    for picture_id, sha256 in client.pictures.items():
        found = ports.store.find_picture(WORKSPACE, picture_id)
        assert found is not None
        assert found[1].image_sha256 == sha256
        assert ports.blobs.has(sha256)
        assert picture_id not in client.masks or found[1].mask_sha256 is not None
    states = {version.number: version.state for version in ports.store.list_versions(WORKSPACE, "road")}
    assert {states[number] for number in client.versions} <= {VersionState.READY}
    assert {job.state for job in ports.queue.list_jobs()} == {JobState.DONE}
    for training_id in client.trainings:
        training = ports.store.find_training(WORKSPACE, training_id)
        assert training is not None
        assert training.state not in IN_FLIGHT
        assert ports.store.find_training_model(training) is not None
    assert len(ports.queue.list_jobs(kind=JobKind.EVALUATE)) == len(ports.store.list_models(WORKSPACE))
    said = run_process(home, "doctor", "--check-hashes")
    assert said.code == 0, said.out + said.err
