from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from tests.fakes.ports import engine_of

from atrous.adapters.sql_store import SqlStore

if TYPE_CHECKING:
    from tests.server.place import Place

    from atrous.workspace.records import Key

OPEN = ["/", "/info", "/healthz", "/readiness", "/docs", "/openapi.json"]


class BrokenStore(SqlStore):
    def find_key(self, digest: str) -> Key | None:
        raise RuntimeError(f"boom at {digest}")


@pytest.mark.parametrize("path", OPEN)
def test_a_life_route_needs_no_key(place: Place, path: str) -> None:
    assert place.client().get(path).status_code == 200


def test_info_has_what_the_sdk_asks_for_and_a_stable_uuid(place: Place) -> None:
    client = place.client()
    first, second = client.get("/info").json(), client.get("/info").json()
    assert first == second
    assert list(first) == ["name", "version", "uuid"]
    assert len(first["uuid"]) == 6
    assert place.client().get("/info").json()["uuid"] != first["uuid"]


def test_probes_say_healthy_and_ready(place: Place) -> None:
    client = place.client()
    assert client.get("/healthz").json() == {"status": "healthy"}
    assert client.get("/readiness").json() == {"status": "ready"}


def test_openapi_describes_the_bodies_that_are_read_by_hand(place: Place) -> None:
    paths = place.client().get("/openapi.json").json()["paths"]
    body = paths["/infer/semantic_segmentation"]["post"]["requestBody"]
    assert "image" in body["content"]["application/json"]["schema"]["properties"]


def test_every_reply_has_a_request_id_and_its_time(place: Place) -> None:
    reply = place.client().get("/nowhere")
    assert uuid.UUID(reply.headers["x-request-id"]).version == 4
    assert float(reply.headers["X-Processing-Time"]) >= 0


def test_a_request_id_is_kept_only_if_it_is_a_uuid4(place: Place) -> None:
    client, own = place.client(), str(uuid.uuid4())
    assert client.get("/info", headers={"x-request-id": own}).headers["x-request-id"] == own
    for foreign in ("mine", str(uuid.uuid1()), "{" + own + "}"):
        assert client.get("/info", headers={"x-request-id": foreign}).headers["x-request-id"] not in {foreign, own}


def test_execution_id_is_echoed(place: Place) -> None:
    client = place.client()
    assert client.get("/info", headers={"execution_id": "run-7"}).headers["execution_id"] == "run-7"
    assert "execution_id" not in client.get("/info").headers


def test_unknown_paths_and_methods_answer_with_an_object(place: Place) -> None:
    client = place.client()
    for reply, status in ((client.get("/no.where"), 404), (client.put("/info"), 405), (client.get("/A/b/c/d/e"), 404)):
        assert reply.status_code == status
        content = reply.json()
        assert set(content) == {"message", "detail", "error"}
        assert content["error"]["message"] == content["message"]


def test_doubled_and_trailing_slashes_are_tidied(place: Place) -> None:
    client = place.client()
    assert client.get("http://testserver//info").status_code == 200
    assert client.get("/info/").status_code == 200


def test_a_bug_is_answered_with_its_id_and_logged_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    client = place.client(store=BrokenStore(engine_of(place.ports)), key=place.key)
    reply = client.get("/model/registry")
    assert reply.status_code == 500
    assert reply.json() == {"message": "Internal error.", "id": reply.headers["x-request-id"]}
    logged = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == 1
    assert logged[0].request_id == reply.headers["x-request-id"]


def test_two_apps_share_nothing(place: Place) -> None:
    place.publish()
    first, second = place.client(key=place.key), place.client(key=place.key)
    first.post("/model/add", json={"model_id": "road/1"})
    assert len(first.get("/model/registry").json()["models"]) == 1
    assert second.get("/model/registry").json()["models"] == []


def test_a_path_cannot_write_a_line_into_the_log(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "atrous")
    place.client().get("/a%0Ab")
    (record,) = [record for record in caplog.records if record.name == "atrous.server.access"]
    assert "\n" not in record.getMessage()
    assert (record.status, record.method) == (404, "GET")
