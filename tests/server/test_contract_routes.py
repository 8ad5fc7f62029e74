"""Every row of what the contract says a compatible server must have (6a), as far as other files do not show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.pictures import RED, as_base64, encode_squares, read_mask
from tests.fakes.ports import FakeBundles, engine_of
from tests.server.place import json_image

from atrous.adapters.sql_store import SqlStore
from atrous.core.ids import RESERVED_SLUGS
from atrous.server.settings import Settings
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.server.place import Place

    from atrous.workspace.records import Model

PICTURE = encode_squares([[RED]])
STREAMS = [
    ("GET", "/inference_pipelines/list"),
    ("GET", "/inference_pipelines/x/status"),
    ("GET", "/inference_pipelines/x/consume"),
    ("POST", "/inference_pipelines/initialise"),
    ("POST", "/inference_pipelines/x/pause"),
    ("POST", "/inference_pipelines/x/resume"),
    ("POST", "/inference_pipelines/x/terminate"),
    ("POST", "/initialise_webrtc_worker"),
    ("POST", "/webrtc/session/heartbeat"),
    ("POST", "/webrtc/session/heartbeat/end"),
]


class NoModels(SqlStore):
    """Knows keys, and fails when models are asked for."""

    def list_models(self, workspace: str) -> list[Model]:
        raise AssertionError(f"models of {workspace} were listed")

    def find_model(self, workspace: str, slug: str) -> Model | None:
        raise AssertionError(f"model {workspace}/{slug} was looked up")


class NoBundles(FakeBundles):
    def locate(self, workspace: str, slug: str) -> Path:
        raise AssertionError(f"bundle {workspace}/{slug} was opened")


# Row 1


@pytest.mark.parametrize("word", ["True", "False", "true", "0", "1", "yes"])
def test_row_1_booleans_are_read_as_python_and_others_write_them(client: TestClient, word: str) -> None:
    params = {"disable_preproc_auto_orient": word, "labels": word, "disable_preproc_contrast": word}
    assert client.post("/road/1", params=params, content=as_base64(PICTURE)).status_code == 200


def test_row_1_what_the_client_always_sends_is_accepted(client: TestClient, place: Place) -> None:
    query = f"api_key={place.key}&allow_reduced_mask_resolution=False&disable_active_learning=False"
    reply = client.post(f"/road/1?{query}", content=as_base64(PICTURE), headers={"content-type": "application/json"})
    assert read_mask(reply.json()).tolist() == [[1] * 8] * 8


# Row 3


def test_row_3_an_array_of_one_gives_an_array_of_one(client: TestClient) -> None:
    body = {"model_id": "road/1", "image": [json_image(PICTURE)]}
    reply = client.post("/infer/semantic_segmentation", json=body).json()
    assert isinstance(reply, list)
    assert len(reply) == 1


# Row 5


def test_row_5_an_added_id_comes_back_byte_for_byte_with_its_task(client: TestClient) -> None:
    for model_id in ("road/1", "acme/road-1-a"):
        models = client.post("/model/add", json={"model_id": model_id}).json()["models"]
        assert model_id in [model["model_id"] for model in models if model["task_type"]]


def test_row_5_published_models_are_listed_for_their_workspace_alone(place: Place) -> None:
    place.publish()
    place.publish("road-2-b", version=2)
    place.publish("sky-1-c", workspace="other")
    content = place.client(key=place.key).get("/model/published").json()
    assert content["workspace"] == "acme"
    assert [model["slug_id"] for model in content["models"]] == ["acme/road-2-b", "acme/road-1-a"]
    assert [model["model_id"] for model in content["models"]] == ["road/2", "road/1"]
    assert place.client().get("/model/published").status_code == 401


# Row 8


@pytest.mark.parametrize(
    "path",
    ["/road/1", "//road/1", "/road//1", "/road/1/", "/road%2F1", "/r%6Fad/1", "/acme/road-1-a", "//acme/road-1-a"],
)
def test_row_8_both_forms_of_an_id_however_they_are_written(client: TestClient, path: str) -> None:
    assert client.post(f"http://testserver{path}", content=PICTURE).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_row_8_a_reserved_first_part_is_never_a_model(place: Place, method: str) -> None:
    client = place.client(store=NoModels(engine_of(place.ports)), bundles=NoBundles(place.folder), key=place.key)
    for first in sorted(RESERVED_SLUGS):
        reply = client.request(method, f"/{first}/none")
        assert reply.status_code in {404, 501}, first
        assert isinstance(reply.json()["message"], str), first


def test_row_8_what_cannot_be_a_model_does_not_touch_the_model_store(place: Place) -> None:
    store = NoModels(engine_of(place.ports))
    client = place.client(Settings(auth_required=False), store=store, bundles=NoBundles(place.folder))
    for path in ("/wp-admin/setup.php", "/.git/config", "/none/none", "/a b/1", "/Road/1", "/road/1.5"):
        assert client.get(path).status_code in {400, 404}, path


def test_row_8_an_unknown_model_opens_no_bundle(place: Place) -> None:
    client = place.client(bundles=NoBundles(place.folder), key=place.key)
    assert client.post("/none/1", content=PICTURE).status_code == 404


# Row 10


def test_row_10_start_loads_a_model(client: TestClient) -> None:
    reply = client.get("/start/road/1")
    assert reply.json() == {"status": 200, "message": "inference session started from local memory."}
    assert client.post("/road/1", content=PICTURE).headers["x-model-cold-start"] == "false"


@pytest.mark.parametrize(("path", "status"), [("/start/road/9", 404), ("/start/Road/x", 400)])
def test_row_10_start_fails_with_an_object(client: TestClient, path: str, status: int) -> None:
    reply = client.get(path)
    assert reply.status_code == status
    assert list(reply.json()) == ["message"]


def test_row_10_clear_cache_unloads_for_a_key_that_may(place: Place) -> None:
    place.publish()
    client = place.client()
    _, weak = create_key(place.ports, "acme", "camera", scope=Scope.INFER)
    client.post("/road/1", content=PICTURE, params={"api_key": place.key})
    assert client.get("/clear_cache").status_code == 401
    assert client.get("/clear_cache", params={"api_key": weak}).status_code == 403
    reply = client.get("/clear_cache", params={"api_key": place.key})
    assert reply.json() == "Cache Cleared"
    cold = client.post("/road/1", content=PICTURE, params={"api_key": place.key})
    assert cold.headers["x-model-cold-start"] == "true"


def test_row_10_start_needs_a_key(place: Place) -> None:
    place.publish()
    assert place.client().get("/start/road/1").status_code == 401
    assert place.client().get("/start/road/1", params={"api_key": place.key}).status_code == 200


def test_row_10_logs_are_for_the_operator(place: Place) -> None:
    client = place.client()
    _, weak = create_key(place.ports, "acme", "camera", scope=Scope.MANAGE)
    _, foreign = create_key(place.ports, "other", "tests")
    assert client.get("/logs").status_code == 401
    for key in (weak, foreign):
        assert client.get("/logs", params={"api_key": key}).status_code == 403
    content = client.get("/logs", params={"api_key": place.key, "limit": 5, "since": "2026-01-01"}).json()
    assert list(content) == ["logs", "total_count"]
    assert place.key not in str(content)


def test_row_10_logs_that_are_not_held_are_404(place: Place) -> None:
    reply = place.client(Settings(recent_logs=0), key=place.key).get("/logs")
    assert reply.status_code == 404
    assert "recent_logs" in reply.json()["message"]


def test_row_10_what_is_not_here_says_so(client: TestClient) -> None:
    stats, notebook = client.get("/device/stats"), client.get("/notebook/start")
    assert (stats.status_code, list(stats.json())) == (404, ["error", "hint", "message"])
    assert (notebook.status_code, list(notebook.json())) == (404, ["success", "message"])


# Row 14


@pytest.mark.parametrize(("method", "path"), STREAMS)
def test_row_14_streams_are_501_without_asking_for_a_model(place: Place, method: str, path: str) -> None:
    client = place.client(store=NoModels(engine_of(place.ports)))
    reply = client.request(method, path, json={"api_key": "x"})
    assert reply.status_code == 501
    assert list(reply.json()) == ["message"]


# Row 7: the description of the API


def test_row_7_openapi_describes_bodies_replies_and_errors(place: Place) -> None:
    schema = place.client().get("/openapi.json").json()
    posts = {path: route["post"] for path, route in schema["paths"].items() if "post" in route}
    without_body = {path for path, post in posts.items() if "requestBody" not in post}
    assert without_body <= {"/", "/{workspace}/billing-usage-report", "/usage/inference", "/inference-stats"}
    for path, post in posts.items():
        assert {"401", "404", "413", "422", "503"} <= set(post["responses"]), path
    legacy = posts["/{project}/{version}"]
    assert {"confidence", "format", "labels", "stroke", "image"} <= {one["name"] for one in legacy["parameters"]}
    assert set(legacy["responses"]["200"]["content"]) == {"application/json", "image/jpeg", "image/png"}
    assert "#/components/schemas/ValidationError" in str(legacy["responses"]["422"])


def test_row_7_every_reference_of_openapi_leads_somewhere(place: Place) -> None:
    schema = place.client().get("/openapi.json").json()
    for reference in find_references(schema):
        part: Any = schema
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
    tags = {operation["operationId"] for route in schema["paths"].values() for operation in route.values()}
    assert len(tags) == sum(len(route) for route in schema["paths"].values())


def find_references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [one for inner in part.values() for one in find_references(inner)]
    return [one for inner in part for one in find_references(inner)] if isinstance(part, list) else []
