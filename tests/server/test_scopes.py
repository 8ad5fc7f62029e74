from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.pictures import RED, as_base64, encode_squares

from atrous.core.errors import TooManyRequestsError
from atrous.server.rate_limit import RateLimit
from atrous.server.settings import Settings
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

PICTURE = as_base64(encode_squares([[RED]]))

LOOKING = [("GET", "/model/registry"), ("POST", "/road/1"), ("POST", "/model/add")]
UNLOADING = [("POST", "/model/remove"), ("POST", "/model/clear"), ("GET", "/clear_cache")]


def client_of(place: Place, scope: Scope, rate: int | None = None, **settings: Any) -> TestClient:
    _, secret = create_key(place.ports, "acme", "tests", scope=scope, requests_per_minute=rate)
    return place.client(Settings(**settings), key=secret)


def ask(client: TestClient, method: str, path: str) -> Any:
    if path == "/road/1":
        return client.request(method, path, content=PICTURE)
    return client.request(method, path, json={"model_id": "road/1"} if method == "POST" else None)


@pytest.mark.parametrize("scope", Scope)
def test_every_scope_may_predict_look_and_load(place: Place, scope: Scope) -> None:
    place.publish()
    client = client_of(place, scope)
    assert {ask(client, *call).status_code for call in LOOKING} == {200}


@pytest.mark.parametrize("call", UNLOADING, ids=str)
def test_unloading_needs_the_scope_manage(place: Place, call: tuple[str, str]) -> None:
    place.publish()
    assert ask(client_of(place, Scope.MANAGE), *call).status_code == 200
    assert ask(client_of(place, Scope.ADMIN), *call).status_code == 200
    refused = ask(client_of(place, Scope.INFER), *call)
    assert refused.status_code == 403
    assert "atrous key create --scope manage" in refused.json()["message"]


@pytest.mark.parametrize("pair", ["{key}:", "anyone:{key}", "{key}:{key}"])
def test_http_basic_carries_the_key_as_password_or_as_user(place: Place, pair: str) -> None:
    credentials = base64.b64encode(pair.format(key=place.key).encode()).decode()
    reply = place.client().get("/model/registry", headers={"authorization": f"Basic {credentials}"})
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "credentials", ["", "!!!", base64.b64encode(b"\xff\xff").decode(), base64.b64encode(b":").decode()]
)
def test_http_basic_without_a_key_is_no_key(place: Place, credentials: str) -> None:
    reply = place.client().get("/model/registry", headers={"authorization": f"Basic {credentials}"})
    assert reply.status_code == 401
    assert "no API key was sent" in reply.json()["message"]


def test_the_query_comes_before_http_basic(place: Place) -> None:
    wrong = base64.b64encode(b":wrong-key").decode()
    reply = place.client().get(
        "/model/registry", params={"api_key": place.key}, headers={"authorization": f"Basic {wrong}"}
    )
    assert reply.status_code == 200


def test_an_unknown_model_and_one_of_another_workspace_are_told_alike(place: Place) -> None:
    place.publish()
    _, other = create_key(place.ports, "other", "tests")
    client = place.client(key=place.key)
    assert client.post("/road/1", content=PICTURE).status_code == 200
    headers = {"authorization": f"Bearer {other}"}
    told = {
        client.post(path, content=PICTURE, headers=headers).text.replace(path[1:], "ID")
        for path in ("/road/1", "/acme/road-1-a", "/acme/nothing", "/nothing/1")
    }
    assert len(told) == 1
    assert client.get("/model/registry", headers=headers).json()["models"] == []


def test_a_key_that_asks_too_often_is_told_when_to_ask_again(place: Place) -> None:
    client = client_of(place, Scope.INFER, rate=3)
    assert [client.get("/model/registry").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get("/model/registry")
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert "requests_per_minute" in refused.json()["message"]
    assert place.client(key=place.key).get("/model/registry").status_code == 200


def test_the_servers_rate_is_for_keys_without_their_own(place: Place) -> None:
    general, own = (client_of(place, Scope.INFER, rate, requests_per_minute=1) for rate in (None, 100))
    assert [general.get("/model/registry").status_code for _ in range(2)] == [200, 429]
    assert {own.get("/model/registry").status_code for _ in range(5)} == {200}


def test_a_wrong_key_takes_nothing_from_the_rate_of_others(place: Place) -> None:
    client = client_of(place, Scope.INFER, rate=1)
    for _ in range(5):
        assert client.get("/model/registry", params={"api_key": "wrong"}).status_code == 401
    assert client.get("/model/registry").status_code == 200


def test_a_rate_is_refilled_evenly() -> None:
    now_s = 0.0
    limit = RateLimit(0, lambda: now_s)
    for _ in range(60):
        limit.take("k", 60)
    with pytest.raises(TooManyRequestsError) as refused:
        limit.take("k", 60)
    assert refused.value.retry_after_s == 1
    now_s = 2.0
    limit.take("k", 60)
    limit.take("k", 60)
    with pytest.raises(TooManyRequestsError):
        limit.take("k", 60)
