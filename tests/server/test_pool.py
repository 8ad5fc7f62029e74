from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock, Semaphore
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.fakes.bundles import damage_bundle
from tests.fakes.pictures import RED, encode_squares

from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.workspace.trainings import delete_training, find_training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.place import Place

    from atrous.core.ids import VersionId
    from atrous.workspace.ports import Bundles, Store
    from atrous.workspace.records import Model

PICTURE = encode_squares([[RED]])
# Far more than any step takes: only a hanging test waits so long.
LONG_S = 20


class GatedBundles:
    """Lets nobody have the folder of `held` models before `gate` is set, and counts who asked."""

    def __init__(self, bundles: Bundles, *held: str) -> None:
        self._bundles, self._held, self._lock = bundles, held, Lock()
        self.gate, self.entered = Event(), Event()
        self.asked: list[str] = []

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        self._bundles.publish(folder, workspace, slug)

    def locate(self, workspace: str, slug: str) -> Path:
        with self._lock:
            self.asked.append(slug)
        if slug in self._held:
            self.entered.set()
            assert self.gate.wait(LONG_S)
        return self._bundles.locate(workspace, slug)


class CountingStore:
    """Passes everything on and tells each time a model was looked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = Semaphore(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def find_version_model(self, workspace: str, version_id: VersionId) -> Model | None:
        model = self._store.find_version_model(workspace, version_id)
        self.asked.release()
        return model


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor


def predict(client: Any, path: str = "/road/1") -> Any:
    return client.post(path, content=PICTURE)


def test_requests_for_a_cold_model_wait_for_one_load(place: Place, threads: ThreadPoolExecutor) -> None:
    place.publish()
    bundles, store = GatedBundles(place.ports.bundles, "road-1-a"), CountingStore(place.ports.store)
    client = place.client(key=place.key, bundles=bundles, store=store)
    waiting = [threads.submit(predict, client, path) for path in ["/road/1"] * 6]
    assert bundles.entered.wait(LONG_S)
    for _ in waiting:
        assert store.asked.acquire(timeout=LONG_S)
    assert not any(request.done() for request in waiting)
    bundles.gate.set()
    assert [request.result(LONG_S).status_code for request in waiting] == [200] * 6
    assert bundles.asked == ["road-1-a"]


def test_a_cold_load_holds_up_no_other_model(place: Place, threads: ThreadPoolExecutor) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    bundles = GatedBundles(place.ports.bundles, "road-1-a")
    # One slot: requests that wait for a load must not take it.
    client = place.client(Settings(concurrency=1), key=place.key, bundles=bundles)
    held = [threads.submit(predict, client) for _ in range(4)]
    assert bundles.entered.wait(LONG_S)
    assert predict(client, "/road/2").status_code == 200
    assert client.get("/healthz").status_code == 200
    assert [model["model_id"] for model in client.get("/model/registry").json()["models"]] == ["road/2"]
    assert not any(request.done() for request in held)
    bundles.gate.set()
    assert {request.result(LONG_S).status_code for request in held} == {200}


def test_a_failed_load_is_told_to_all_who_wait_and_tried_again(place: Place, threads: ThreadPoolExecutor) -> None:
    place.publish()
    weights = place.bundle_folder() / "weights.onnx"
    good = weights.read_bytes()
    damage_bundle(place.bundle_folder())
    bundles, store = GatedBundles(place.ports.bundles, "road-1-a"), CountingStore(place.ports.store)
    client = place.client(key=place.key, bundles=bundles, store=store)
    waiting = [threads.submit(predict, client) for _ in range(3)]
    for _ in waiting:
        assert store.asked.acquire(timeout=LONG_S)
    bundles.gate.set()
    replies = [request.result(LONG_S) for request in waiting]
    assert {reply.status_code for reply in replies} == {500}
    assert {reply.json()["message"] for reply in replies} == {
        "model acme/road-1-a cannot be loaded: road-1-a/weights.onnx: differs from its hash; restore it or export the "
        "model again"
    }
    weights.write_bytes(good)
    assert predict(client).status_code == 200


@pytest.mark.parametrize("name", ["weights.onnx", "class_names.txt", "manifest.json", "inference_config.json"])
def test_a_broken_bundle_hurts_no_other_model(place: Place, name: str) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    (place.bundle_folder() / name).unlink()
    client = place.client(key=place.key)
    broken = predict(client)
    assert broken.status_code == 500
    assert name in broken.json()["message"]
    assert str(place.folder) not in broken.json()["message"]
    assert predict(client, "/road/2").status_code == 200


def test_a_model_whose_folder_is_gone_is_a_broken_one(place: Place) -> None:
    place.publish()
    place.bundle_folder().rename(place.folder / "elsewhere")
    reply = predict(place.client(key=place.key))
    assert reply.status_code == 500
    assert "its folder is gone" in reply.json()["message"]


def test_a_version_is_answered_by_its_next_model_once_the_first_is_deleted(place: Place) -> None:
    place.publish("road-1-a", training_id="first")
    client = place.client(key=place.key)
    assert predict(client).json()["resolved_model"]["model_id"] == "acme/road-1-a"
    place.publish("road-1-b", training_id="second", seed=1)
    assert predict(client).json()["resolved_model"]["model_id"] == "acme/road-1-a"
    delete_training(place.ports, find_training(place.ports, "acme", "first"))
    assert predict(client).json()["resolved_model"]["model_id"] == "acme/road-1-b"
    assert [model["model_id"] for model in client.get("/model/registry").json()["models"]] == ["road/1"]
    assert predict(client, "/acme/road-1-a").status_code == 404


def test_the_least_recently_used_model_alone_makes_room(place: Place) -> None:
    for version in (1, 2, 3):
        place.publish(f"road-{version}-a", version=version)
    client = place.client(Settings(max_models=2), key=place.key)
    for path in ("/road/1", "/road/2", "/road/1", "/road/3"):
        predict(client, path)
    ids = [model["model_id"] for model in client.get("/model/registry").json()["models"]]
    assert ids == ["road/1", "road/3"]
    assert predict(client, "/road/1").headers["x-model-cold-start"] == "false"
    assert predict(client, "/road/2").headers["x-model-cold-start"] == "true"


def test_models_make_room_one_by_one_within_the_bytes_that_they_may_take(place: Place) -> None:
    for version in (1, 2, 3):
        place.publish(f"road-{version}-a", version=version)
    measuring = place.client(key=place.key)
    predict(measuring)
    one_bytes = measuring.app.state.service.pool.count_bytes()  # type: ignore[attr-defined]
    assert one_bytes > 0
    client = place.client(Settings(max_model_bytes=int(2.5 * one_bytes)), key=place.key)
    for path in ("/road/1", "/road/2", "/road/1", "/road/3"):
        assert predict(client, path).status_code == 200
    ids = [model["model_id"] for model in client.get("/model/registry").json()["models"]]
    assert ids == ["road/1", "road/3"]


def test_a_model_larger_than_all_may_take_is_held_alone(place: Place) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    client = place.client(Settings(max_model_bytes=1), key=place.key)
    assert [predict(client).headers["x-model-cold-start"] for _ in range(2)] == ["true", "false"]
    assert predict(client, "/road/2").status_code == 200
    assert [model["model_id"] for model in client.get("/model/registry").json()["models"]] == ["road/2"]


def test_a_preloaded_model_makes_room_for_none_however_many_bytes_it_takes(place: Place) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    client = place.client(Settings(max_model_bytes=1), key=place.key)
    client.app.state.service.pool.pin("acme", "road/1")  # type: ignore[attr-defined]
    for path in ("/road/1", "/road/2"):
        assert predict(client, path).status_code == 200
    assert predict(client).headers["x-model-cold-start"] == "false"


def test_a_broken_model_takes_no_others_place(place: Place) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    damage_bundle(place.bundle_folder("road-2-a"))
    client = place.client(Settings(max_models=1), key=place.key)
    statuses = [predict(client, path).status_code for path in ("/road/1", "/road/2")]
    assert statuses == [200, 500]
    assert predict(client).headers["x-model-cold-start"] == "false"


def test_a_request_keeps_the_model_that_was_unloaded_meanwhile(place: Place, threads: ThreadPoolExecutor) -> None:
    place.publish()
    bundles = GatedBundles(place.ports.bundles, "road-1-a")
    client = place.client(key=place.key, bundles=bundles)
    request = threads.submit(predict, client)
    assert bundles.entered.wait(LONG_S)
    assert client.post("/model/clear").json()["models"] == []
    bundles.gate.set()
    assert request.result(LONG_S).status_code == 200
    assert client.get("/model/registry").json()["models"] == []


def test_many_requests_at_once_get_their_own_answers(place: Place) -> None:
    place.publish()
    app = create_app(Settings(concurrency=3), place.ports)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)] * 10

    async def ask_all() -> list[httpx.Response]:
        headers = {"authorization": f"Bearer {place.key}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server", headers=headers) as client:
            asked = [client.post("/road/1", content=encode_squares([[colour]])) for colour in colours]
            return await asyncio.gather(*asked)

    replies = asyncio.run(ask_all())
    found = [reply.json()["predictions"]["present_class_ids"] for reply in replies]
    assert found == [[1], [2], [3], [0]] * 10
    assert len({reply.json()["inference_id"] for reply in replies}) == len(colours)


def test_a_full_queue_is_503_with_a_time_to_retry(place: Place) -> None:
    place.publish()
    app = create_app(replace(Settings(), concurrency=1, max_waiting=1), place.ports)

    async def ask_all() -> list[httpx.Response]:
        headers = {"authorization": f"Bearer {place.key}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server", headers=headers) as client:
            await client.post("/road/1", content=PICTURE)
            slow = [client.post("/road/1", content=encode_squares([[RED]], side_px=2000)) for _ in range(6)]
            return await asyncio.gather(*slow)

    replies = asyncio.run(ask_all())
    refused = [reply for reply in replies if reply.status_code == 503]
    assert {reply.status_code for reply in replies} == {200, 503}
    assert all(reply.headers["retry-after"] == "1" for reply in refused)
    assert "queue is full" in refused[0].json()["message"]
