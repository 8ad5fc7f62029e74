from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.bundles import damage_bundle
from tests.fakes.pictures import RED, encode_squares

from atrous.server.settings import SEMANTIC_SEGMENTATION, Settings
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

PICTURE = encode_squares([[RED]])


def ids_in(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [model["model_id"] for model in reply.json()["models"]]


def load(client: TestClient, model_id: str = "road/1", **fields: Any) -> Any:
    return client.post("/model/add", json={"model_id": model_id, **fields})


def test_the_registry_has_the_shape_of_the_contract(client: TestClient) -> None:
    content = load(client).json()
    (model,) = content.pop("models")
    assert model == {
        "model_id": "road/1",
        "task_type": "instance-segmentation",
        "served_task": "semantic-segmentation",
        "batch_size": None,
        "input_height": 64,
        "input_width": 64,
        "vram_bytes": None,
        "request_aliases": [],
        "request_paths": [],
    }
    assert set(content.values()) == {None}
    assert "gpu_memory_used" in content


def test_the_true_task_is_named_when_asked_for(place: Place) -> None:
    place.publish()
    (model,) = load(place.client(Settings(sdk_task=SEMANTIC_SEGMENTATION), key=place.key)).json()["models"]
    assert model["task_type"] == model["served_task"] == "semantic-segmentation"


def test_adding_twice_lists_once(client: TestClient) -> None:
    assert ids_in(load(client)) == ["road/1"]
    assert ids_in(load(client, model_type="seg", api_key=None)) == ["road/1"]
    assert ids_in(client.get("/model/registry")) == ["road/1"]


def test_ids_of_one_model_are_listed_as_they_were_asked_for_and_load_once(client: TestClient) -> None:
    load(client, "road/1")
    assert ids_in(load(client, "acme/road-1-a")) == ["road/1", "acme/road-1-a"]
    assert client.post("/acme/road-1-a", content=PICTURE).headers["x-model-cold-start"] == "false"


def test_a_prediction_loads_the_model_too(client: TestClient) -> None:
    client.post("/road/1", content=PICTURE)
    assert ids_in(client.get("/model/registry")) == ["road/1"]


def test_removing_forgets_an_id_and_the_model_with_the_last_one(client: TestClient) -> None:
    load(client, "road/1")
    load(client, "acme/road-1-a")
    assert ids_in(client.post("/model/remove", json={"model_id": "road/1"})) == ["acme/road-1-a"]
    assert client.post("/acme/road-1-a", content=PICTURE).headers["x-model-cold-start"] == "false"
    assert ids_in(client.post("/model/remove", json={"model_id": "acme/road-1-a"})) == []
    assert client.post("/road/1", content=PICTURE).headers["x-model-cold-start"] == "true"


@pytest.mark.parametrize("model_id", ["road/7", "nonsense", ""])
def test_removing_an_unknown_id_is_no_error(client: TestClient, model_id: str) -> None:
    load(client)
    assert ids_in(client.post("/model/remove", json={"model_id": model_id})) == ["road/1"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"api_key": null}'])
def test_clearing_forgets_all(client: TestClient, body: bytes) -> None:
    load(client)
    assert ids_in(client.post("/model/clear", content=body)) == []


def test_a_workspace_sees_and_unloads_only_its_own_models(place: Place) -> None:
    place.publish()
    place.publish("road-1-b", workspace="other")
    _, other_key = create_key(place.ports, "other", "tests")
    client = place.client()
    acme, other = ({"authorization": f"Bearer {key}"} for key in (place.key, other_key))
    client.post("/model/add", json={"model_id": "road/1"}, headers=acme)
    assert ids_in(client.get("/model/registry", headers=other)) == []
    client.post("/model/add", json={"model_id": "other/road-1-b"}, headers=other)
    client.post("/model/remove", json={"model_id": "road/1"}, headers=other)
    client.post("/model/clear", headers=other)
    assert ids_in(client.get("/model/registry", headers=other)) == []
    assert ids_in(client.get("/model/registry", headers=acme)) == ["road/1"]


@pytest.mark.parametrize(("model_id", "status"), [("road/7", 404), ("acme/none", 404), ("nonsense", 400)])
def test_adding_an_unknown_model_is_refused(client: TestClient, model_id: str, status: int) -> None:
    reply = load(client, model_id)
    assert reply.status_code == status
    assert repr(model_id) in reply.json()["message"]


def test_adding_without_an_id_is_422(client: TestClient) -> None:
    reply = client.post("/model/add", json={"api_key": None})
    assert reply.status_code == 422
    assert reply.json()["message"] == "model_id: Field required"


def test_a_broken_bundle_is_named_and_not_listed(place: Place) -> None:
    place.publish()
    damage_bundle(place.bundle_folder())
    client = place.client(key=place.key)
    reply = load(client)
    assert reply.status_code == 500
    assert "road-1-a/weights.onnx: differs from its hash" in reply.json()["message"]
    assert ids_in(client.get("/model/registry")) == []
