from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.fakes.bundles import damage_bundle
from tests.fakes.pictures import RED, encode_squares

from atrous.server import preload
from atrous.server.settings import Settings
from atrous.workspace.trainings import delete_training, find_training

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.place import Place

PICTURE = encode_squares([[RED]])
LONG_S = 20


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "RETRY_S", 0.02)


def wait_until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["road/1", "acme:road/1", "acme/road-1-a"])
def test_the_server_is_ready_when_its_preloaded_models_have_answered(place: Place, name: str) -> None:
    place.publish()
    client = place.client(Settings(preload_models=(name,)), key=place.key)
    unready = client.get("/readiness")
    assert (unready.status_code, unready.json()["status"]) == (503, "not ready")
    assert "road" not in unready.text
    with client:
        wait_until(lambda: client.get("/readiness").status_code == 200)
        assert client.get("/readiness").json() == {"status": "ready"}
        model_id = name.rpartition(":")[2]
        assert client.post(f"/{model_id}", content=PICTURE).headers["x-model-cold-start"] == "false"


def test_a_model_of_another_workspace_can_be_preloaded(place: Place) -> None:
    place.publish("road-1-b", workspace="other")
    client = place.client(Settings(preload_models=("other:road/1",)), key=place.key)
    with client:
        wait_until(lambda: client.get("/readiness").status_code == 200)
        assert client.get("/model/registry").json()["models"] == []


def test_a_preload_that_fails_keeps_the_server_unready_while_it_serves_others_and_is_tried_again(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish()
    place.publish("road-2-a", version=2)
    weights = place.bundle_folder() / "weights.onnx"
    good = weights.read_bytes()
    damage_bundle(place.bundle_folder())
    client = place.client(Settings(preload_models=("road/1", "road/2")), key=place.key)
    with client:
        wait_until(lambda: any("preload of road/1 failed" in line for line in caplog.messages))
        wait_until(lambda: "1 preloaded" in client.get("/readiness").text)
        assert client.get("/readiness").status_code == 503
        assert client.post("/road/2", content=PICTURE).status_code == 200
        weights.write_bytes(good)
        wait_until(lambda: client.get("/readiness").status_code == 200)
    assert len([line for line in caplog.messages if "preload of road/1 failed" in line]) == 1


def test_a_preloaded_model_makes_room_for_no_other(place: Place) -> None:
    for version in (1, 2, 3):
        place.publish(f"road-{version}-a", version=version, training_id="first" if version == 1 else "")
    client = place.client(Settings(preload_models=("road/1",), max_models=2), key=place.key)
    with client:
        wait_until(lambda: client.get("/readiness").status_code == 200)
        for version in (2, 3, 2, 3):
            assert client.post(f"/road/{version}", content=PICTURE).status_code == 200
        assert client.post("/road/1", content=PICTURE).headers["x-model-cold-start"] == "false"
        # The next model of the version takes over the place that is kept for it.
        place.publish("road-1-b", training_id="second", seed=1)
        delete_training(place.ports, find_training(place.ports, "acme", "first"))
        assert client.post("/road/1", content=PICTURE).json()["resolved_model"]["model_id"] == "acme/road-1-b"
        for version in (2, 3):
            client.post(f"/road/{version}", content=PICTURE)
        assert client.post("/road/1", content=PICTURE).headers["x-model-cold-start"] == "false"


def test_a_server_that_is_about_to_end_refuses_what_is_new_and_says_so(place: Place) -> None:
    place.publish()
    client = place.client(key=place.key)
    client.app.state.service.life.begin_drain()  # type: ignore[attr-defined]
    refused = client.post("/road/1", content=PICTURE)
    assert refused.status_code == 503
    assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
    assert client.get("/readiness").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 200
