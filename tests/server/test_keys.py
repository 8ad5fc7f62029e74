from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.pictures import RED, as_base64, encode_squares
from tests.fakes.ports import fake_ports
from tests.server.place import Place, json_image

from atrous.server.settings import Settings
from atrous.workspace.keys import create_key, revoke_key

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = encode_squares([[RED]])
NONE_WORDS = ["None", "null", ""]


@pytest.fixture
def published(place: Place) -> Place:
    place.publish()
    return place


def infer_v1(client: Any, **options: Any) -> int:
    body = {"model_id": "road/1", "image": json_image(PICTURE), "api_key": options.pop("body_key", None)}
    return client.post("/infer/semantic_segmentation", json=body, **options).status_code


def infer_v0(client: Any, **options: Any) -> int:
    return client.post("/road/1", content=as_base64(PICTURE), **options).status_code


def test_a_key_is_found_in_query_header_and_json_body(published: Place) -> None:
    client, key = published.client(), published.key
    bearer = {"authorization": f"Bearer {key}"}
    assert infer_v0(client, params={"api_key": key}) == 200
    assert infer_v0(client, headers=bearer) == 200
    assert infer_v1(client, params={"api_key": key}) == 200
    assert infer_v1(client, headers=bearer) == 200
    assert infer_v1(client, body_key=key) == 200


def test_query_comes_before_header_and_header_before_body(published: Place) -> None:
    client, key = published.client(), published.key
    good, bad = {"authorization": f"Bearer {key}"}, {"authorization": "Bearer wrong"}
    assert infer_v1(client, params={"api_key": key}, headers=bad, body_key="wrong") == 200
    assert infer_v1(client, params={"api_key": "wrong"}, headers=good, body_key=key) == 401
    assert infer_v1(client, headers=good, body_key="wrong") == 200
    assert infer_v1(client, headers=bad, body_key=key) == 401


@pytest.mark.parametrize("word", NONE_WORDS)
def test_the_word_for_no_key_counts_as_none(published: Place, word: str) -> None:
    client, key = published.client(), published.key
    assert infer_v1(client, params={"api_key": word}, headers={"authorization": f"Bearer {key}"}) == 200
    assert infer_v1(client, params={"api_key": word}, body_key=key) == 200
    reply = client.get("/model/registry", params={"api_key": word})
    assert reply.status_code == 401
    assert "no API key was sent" in reply.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/model/registry"),
        ("POST", "/model/add"),
        ("POST", "/model/remove"),
        ("POST", "/model/clear"),
        ("POST", "/infer/semantic_segmentation"),
        ("POST", "/infer/instance_segmentation"),
        ("POST", "/road/1"),
        ("GET", "/road/1"),
    ],
)
def test_every_other_route_refuses_no_key_and_a_wrong_one(published: Place, method: str, path: str) -> None:
    body = {"model_id": "road/1", "image": json_image(PICTURE)}
    for params in ({}, {"api_key": "wrong"}):
        reply = published.client().request(method, path, json=body, params=params)
        assert reply.status_code == 401
        assert list(reply.json()) == ["message"]
        assert reply.headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_is_refused_while_its_model_is_warm(published: Place) -> None:
    client = published.client(key=published.key)
    assert infer_v1(client) == 200
    (key,) = published.ports.store.list_keys("acme")
    revoke_key(published.ports, "acme", key.id)
    assert infer_v1(client) == 401


@pytest.mark.parametrize("path", ["/model/remove", "/model/clear"])
def test_unloading_without_a_key_names_the_transport_that_sends_one(published: Place, path: str) -> None:
    reply = published.client().post(path, json={"model_id": "road/1"} if path.endswith("remove") else None)
    assert reply.status_code == 401
    assert 'api_key_transport="header"' in reply.json()["message"]
    assert '"both"' in reply.json()["message"]


def test_with_auth_off_any_key_or_none_opens_the_oldest_workspace(published: Place) -> None:
    client = published.client(Settings(auth_required=False))
    assert infer_v0(client) == 200
    assert infer_v0(client, params={"api_key": "dummy"}) == 200
    assert infer_v1(client, body_key="None") == 200
    assert client.post("/model/clear").status_code == 200


def test_with_auth_off_and_no_workspace_the_server_says_what_to_do(place: Place, tmp_path: Path) -> None:
    client = place.client(Settings(auth_required=False), store=fake_ports(tmp_path / "empty").store)
    reply = client.get("/model/registry")
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    assert "no workspace" in reply.json()["message"]


def test_a_model_of_another_workspace_does_not_exist(published: Place) -> None:
    _, other_key = create_key(published.ports, "other", "tests")
    warm = published.client(key=published.key)
    assert infer_v1(warm) == 200
    for model_id in ("road/1", "acme/road-1-a"):
        assert warm.post(f"/{model_id}", params={"api_key": other_key}, content=as_base64(PICTURE)).status_code == 404


def test_keys_and_pictures_never_reach_the_log_or_an_error(published: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, key, picture = published.client(), published.key, as_base64(PICTURE)
    infer_v0(client, params={"api_key": key})
    infer_v1(client, body_key=key)
    refused = [
        client.post("/road/1", params={"api_key": key, "confidence": "high"}, content=picture),
        client.post("/road/9", params={"api_key": key}, content=picture),
        client.post("/infer/semantic_segmentation", json={"api_key": key, "image": picture}),
        client.post("/infer/semantic_segmentation", content=f'{{"api_key": "{key}", "image": "{picture}"'),
        client.post("/model/add", json={"api_key": [key], "model_id": 1}),
        client.get("/nowhere", params={"api_key": key}),
    ]
    assert [reply.status_code for reply in refused] == [422, 404, 422, 422, 422, 404]
    # The client under test logs the URLs that it calls; that is not our log.
    ours = [record for record in caplog.records if record.name.startswith(("atrous", "uvicorn", "fastapi"))]
    assert len([record for record in ours if record.name == "atrous.server.access"]) == 8
    texts = [reply.text for reply in refused] + [f"{record.getMessage()} {record.__dict__}" for record in ours]
    for text in texts:
        assert key not in text
        assert picture not in text


def test_a_key_in_the_place_of_a_name_is_not_sent_back(place: Place) -> None:
    client = place.client(key=place.key)
    body = {"model_id": place.key, "image": {"type": "base64", "value": ""}}
    for reply in (
        client.post(f"/road/{place.key}"),
        client.post("/infer/semantic_segmentation", json=body),
        client.post("/workflows/run", json={"specification": {"steps": [{"type": place.key, "name": place.key}]}}),
    ):
        assert 400 <= reply.status_code < 500
        assert place.key not in reply.text
