"""What is counted of requests, and that it reaches the store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

from tests.fakes.pictures import BLACK, RED, encode_squares
from tests.server.place import json_image

from atrous.core.errors import UnavailableError
from atrous.server.notes import Notes
from atrous.server.settings import Settings
from atrous.server.usage import Usage
from atrous.workspace.keys import authenticate

if TYPE_CHECKING:
    import pytest
    from tests.server.place import Place

    from atrous.workspace.deployment import UsageHour

HOUR = datetime(2026, 1, 1, tzinfo=UTC)
PICTURE = encode_squares([[RED, BLACK]])
WORKFLOW = {
    "inputs": {"image": [json_image(PICTURE)] * 3},
    "specification": {
        "version": "1.0",
        "inputs": [{"type": "InferenceImage", "name": "image"}],
        "steps": [
            {
                "type": "roboflow_core/roboflow_semantic_segmentation_model@v1",
                "name": "model",
                "images": "$inputs.image",
                "model_id": "road/1",
            }
        ],
        "outputs": [{"type": "JsonField", "name": "found", "selector": "$steps.model.predictions"}],
    },
}


class Store:
    """The store, which cannot be told of usage while it is down."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.is_down = False
        self.was_told = Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def add_usage(self, hours: Any) -> None:
        if self.is_down:
            raise UnavailableError("the database cannot be reached")
        self._store.add_usage(hours)
        self.was_told.set()


def list_usage(place: Place, workspace: str = "acme") -> list[UsageHour]:
    return place.ports.store.list_usage(workspace, HOUR, HOUR + timedelta(days=1))


def count_one(usage: Usage, place: Place, model_id: str = "road/1") -> None:
    model = place.ports.store.find_model("acme", "road-1-a") or place.publish()
    usage.count(Notes("id", model=model, model_id=model_id, key_id="k", pictures=2, compute_s=0.25))


def test_each_kind_of_prediction_is_counted_by_model_and_key(place: Place) -> None:
    place.publish()
    with place.client(key=place.key) as client:
        asked = [
            client.post("/road/1", content=PICTURE),
            client.post(
                "/infer/semantic_segmentation", json={"model_id": "road/1", "image": [json_image(PICTURE)] * 2}
            ),
            client.post("/workflows/run", json=WORKFLOW),
            client.post("/acme/road-1-a", content=PICTURE),
        ]
    assert [reply.status_code for reply in asked] == [200] * 4
    key_id = authenticate(place.ports, place.key).id
    found = list_usage(place)
    assert {(one.model, one.requests, one.pictures) for one in found} == {("road/1", 3, 6), ("acme/road-1-a", 1, 1)}
    assert {(one.key_id, one.hour, one.deployment) for one in found} == {(key_id, HOUR, "")}
    assert all(0 < one.compute_s < 60 for one in found)


def test_what_is_not_answered_is_not_counted(place: Place) -> None:
    place.publish()
    with place.client(key=place.key) as client:
        client.post("/road/1", content=b"no picture")
        client.post("/road/9", content=PICTURE)
        client.post("/road/1", content=PICTURE, headers={"authorization": "Bearer wrong"})
        client.get("/model/registry")
    assert list_usage(place) == []


def test_a_deployment_counts_under_its_name(place: Place) -> None:
    place.publish()
    with place.client(Settings(deployment="alpha"), key=place.key) as client:
        client.post("/road/1", content=PICTURE)
    assert [one.deployment for one in list_usage(place)] == ["alpha"]


def test_usage_without_a_key_has_none(place: Place) -> None:
    place.publish()
    with place.client(Settings(auth_required=False)) as client:
        client.post("/road/1", content=PICTURE)
    assert [one.key_id for one in list_usage(place)] == [""]


def test_what_a_store_could_not_be_told_is_told_later(place: Place) -> None:
    store = Store(place.ports.store)
    usage = Usage(store, place.ports.clock)
    store.is_down = True
    count_one(usage, place)
    usage.flush()
    count_one(usage, place)
    store.is_down = False
    usage.flush()
    usage.flush()
    (found,) = list_usage(place)
    assert (found.requests, found.pictures, found.compute_s) == (2, 4, 0.5)


def test_a_store_that_is_down_is_complained_of_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(place.ports.store)
    store.is_down = True
    usage = Usage(store, place.ports.clock)
    count_one(usage, place)
    usage.flush()
    usage.flush()
    (record,) = caplog.records
    assert "cannot be reached" in record.getMessage()


def test_no_more_is_held_than_allowed(place: Place) -> None:
    usage = Usage(place.ports.store, place.ports.clock, max_places=2)
    for model_id in ("road/1", "road/2", "road/3", "road/1"):
        count_one(usage, place, model_id)
    usage.flush()
    assert {(one.model, one.requests) for one in list_usage(place)} == {("road/1", 2), ("road/2", 1)}


def test_a_server_ends_while_the_store_is_down(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.publish()
    store = Store(place.ports.store)
    with place.client(key=place.key, store=store) as client:
        client.post("/road/1", content=PICTURE)
        store.is_down = True
    assert "usage lost" in caplog.records[-1].getMessage()


def test_usage_is_told_while_a_server_runs(place: Place) -> None:
    store = Store(place.ports.store)
    usage = Usage(store, place.ports.clock, flush_s=0.001)

    async def run() -> bool:
        flushing = asyncio.create_task(usage.keep_flushing())
        count_one(usage, place)
        try:
            return await asyncio.to_thread(store.was_told.wait, 10)
        finally:
            flushing.cancel()

    assert asyncio.run(run())
    assert [one.requests for one in list_usage(place)] == [1]
