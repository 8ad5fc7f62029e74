"""Search over HTTP, as the client asks."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.adapters.rows import later, make_picture, make_project
from tests.server.place import Place, make_place

from atrous.core.class_map import ClassMap
from atrous.workspace.batches import make_batch_id
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

COUNT = 7


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place that no test changes."""
    return fill(make_place(tmp_path_factory.mktemp("place")))


@pytest.fixture(scope="module")
def client(place: Place) -> Iterator[TestClient]:
    with place.client(key=place.key) as client:
        yield client


def fill(place: Place) -> Place:
    """Seven pictures in `road` and one in `lake`."""
    store = place.ports.store
    store.add_project(make_project())
    store.add_project(make_project("lake", class_map=ClassMap(("background", "water"))))
    pictures = [
        make_picture(
            f"{i}.jpg",
            created=later(i),
            tags=("even",) if i % 2 == 0 else (),
            class_pixels={0: 3, 1: 4, 255: 1} if i else {},
            mask_sha256=None if i == 0 else "0" * 64,
            batch="monday" if i < 3 else "",
            metadata={"camera": i},
        )
        for i in range(COUNT)
    ]
    store.add_pictures("acme", "road", pictures)
    store.add_pictures("acme", "lake", [make_picture("w.jpg", tags=("even",), class_pixels={1: 9})])
    return place


def ask(client: TestClient, query: str = "", **more: Any) -> dict[str, Any]:
    reply = client.post("/acme/search/v1", json={"query": query, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()


def names(found: dict[str, Any]) -> list[str]:
    return [result["name"] for result in found["results"]]


def test_a_query_finds_pictures_of_all_projects(client: TestClient) -> None:
    found = ask(client, "tag:even")
    assert sorted(names(found)) == ["0.jpg", "2.jpg", "4.jpg", "6.jpg", "w.jpg"]
    assert (found["total"], found["continuationToken"]) == (5, None)
    assert names(ask(client, "project:road tag:even -labelled:true")) == ["0.jpg"]
    assert names(ask(client, "class:water")) == ["w.jpg"]


def test_a_result_has_the_fields_that_were_asked_for(client: TestClient) -> None:
    fields = [
        "name",
        "filename",
        "labels",
        "annotations",
        "tags",
        "owner",
        "user_metadata",
        "embedding",
        "split",
        "nose",
    ]
    (result,) = ask(client, "2.jpg", fields=fields)["results"]
    assert len(result.pop("id")) == 20
    assert result == {
        "mediaType": "image",
        "name": "2.jpg",
        "filename": "2.jpg",
        "labels": ["road"],
        "annotations": {"count": 1, "classes": {"road": 4}},
        "tags": ["even"],
        "owner": "acme",
        "user_metadata": {"camera": 2},
        "embedding": None,
        "split": "train",
    }


def test_times_are_milliseconds(client: TestClient) -> None:
    (result,) = ask(client, "id:x OR 3.jpg", fields=["created"])["results"]
    assert result["created"] == round(later(3).timestamp() * 1000)


def test_tokens_lead_through_all_pages_while_pictures_come_and_go(tmp_path: Path) -> None:
    place = fill(make_place(tmp_path))
    store, client = place.ports.store, place.client(key=place.key)
    first = ask(client, "project:road", pageSize=3)
    assert names(first) == ["6.jpg", "5.jpg", "4.jpg"]
    store.add_pictures("acme", "road", [make_picture("new.jpg", created=later(50))])
    store.remove_pictures("acme", "road", [first["results"][-1]["id"]])
    second = ask(client, "project:road", pageSize=3, continuationToken=first["continuationToken"])
    assert names(second) == ["3.jpg", "2.jpg", "1.jpg"]
    third = ask(client, "project:road", pageSize=3, continuationToken=second["continuationToken"])
    assert (names(third), third["continuationToken"]) == (["0.jpg"], None)


@pytest.mark.parametrize("order", ["newest", "oldest", "name", "-name"])
def test_each_order_can_be_paged(client: TestClient, order: str) -> None:
    query = f"sort:{order}"
    seen: list[str] = []
    token = None
    for _ in range(COUNT + 1):
        page = ask(client, query, pageSize=1, continuationToken=token)
        seen += names(page)
        token = page["continuationToken"]
    assert token is None
    assert seen == names(ask(client, query))
    assert len(set(seen)) == COUNT + 1


def tokens_that_cannot_be(good: str) -> list[str]:
    content = json.loads(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    forged = [
        [],
        {},
        None,
        1,
        [content[0]],
        [content[0], 5, "x"],
        [content[0], "yesterday", "x"],
        [content[0], content[1], 7],
    ]
    forged += [["0" * 16, *content[1:]], [content[0], "9999-99-99", "x"], [content[0], "0001-01-01T00:00+23:59", "x"]]
    packed = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in forged]
    return ["x", "=", "ключ", "[" * 3000, good[:-2], good[:10], base64.b64encode(b"[" * 3000).decode(), *packed]


def test_a_token_that_cannot_be_is_refused(client: TestClient) -> None:
    token = ask(client, "", pageSize=1)["continuationToken"]
    for bad in tokens_that_cannot_be(token):
        reply = client.post("/acme/search/v1", json={"query": "", "continuationToken": bad})
        assert (reply.status_code, "continuationToken" in reply.json()["message"]) == (400, True), bad
    other = client.post("/acme/search/v1", json={"query": "tag:even", "continuationToken": token})
    assert other.status_code == 400


def test_a_mistake_in_a_query_is_told_with_its_place(client: TestClient) -> None:
    reply = client.post("/acme/search/v1", json={"query": "tag:even colour:red"})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("query, character 10: ")


@pytest.mark.parametrize(
    "body",
    [
        {"pageSize": 0},
        {"pageSize": 1001},
        {"query": 5},
        {"query": "x" * 4001},
        {"fields": "id"},
        {"mediaTypes": []},
        [],
    ],
)
def test_a_body_of_another_form_is_refused(client: TestClient, body: Any) -> None:
    assert client.post("/acme/search/v1", json=body).status_code == 422


def test_there_are_no_videos(client: TestClient) -> None:
    assert ask(client, "", mediaTypes=["video"])["results"] == []
    assert len(ask(client, "", mediaTypes=["video", "image"])["results"]) == COUNT + 1
    assert client.post("/acme/road/search", json={"mediaTypes": ["video"]}).json()["results"] == []


def search_project(client: TestClient, **body: Any) -> list[str]:
    reply = client.post("/acme/road/search", json={"offset": 0, "limit": 100, "batch": False, **body})
    assert reply.status_code == 200, reply.text
    return names(reply.json())


def test_a_project_is_searched_by_fields(place: Place, client: TestClient) -> None:
    assert search_project(client) == [f"{i}.jpg" for i in reversed(range(COUNT))]
    assert search_project(client, offset=5, limit=5) == ["1.jpg", "0.jpg"]
    assert search_project(client, tag="even", limit=2) == ["6.jpg", "4.jpg"]
    assert search_project(client, class_name="ROAD", limit=1) == ["6.jpg"]
    assert search_project(client, class_name="water") == []
    assert search_project(client, in_dataset=False) == ["0.jpg"]
    assert search_project(client, batch=True) == ["2.jpg", "1.jpg", "0.jpg"]
    assert search_project(client, batch_id="monday") == ["2.jpg", "1.jpg", "0.jpg"]
    assert search_project(client, batch_id=make_batch_id("monday"), limit=1) == ["2.jpg"]
    assert search_project(client, annotation_job=True) == []
    assert len(search_project(client, annotation_job=False)) == COUNT
    assert search_project(client, annotation_job_id="j1") == []
    assert place.ports.store.count_pictures("acme", "road").total == COUNT


def test_a_project_search_gives_what_the_client_asks_for(client: TestClient) -> None:
    body = {"limit": 1, "fields": ["id", "created", "name", "labels"]}
    (result,) = client.post("/acme/road/search", json=body).json()["results"]
    assert set(result) == {"id", "created", "name", "labels", "mediaType"}


@pytest.mark.parametrize("body", [{"prompt": "a cat"}, {"like_image": "x"}])
def test_what_needs_an_embedding_is_refused_in_a_sentence(client: TestClient, body: dict[str, str]) -> None:
    reply = client.post("/acme/road/search", json=body)
    assert (reply.status_code, "embedding" in reply.json()["message"]) == (400, True)


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"offset": 2**40}, {"tag": 5}])
def test_a_project_search_of_another_form_is_refused(client: TestClient, body: Any) -> None:
    assert client.post("/acme/road/search", json=body).status_code == 422


def test_a_project_that_is_not_there_is_not_found(client: TestClient) -> None:
    assert client.post("/acme/sea/search", json={}).status_code == 404
    assert client.post("/other/search/v1", json={}).status_code == 404


def test_searching_needs_the_scope_read(place: Place) -> None:
    _, secret = create_key(place.ports, "acme", "camera", scope=Scope.INFER)
    client = place.client(key=secret)
    assert client.post("/acme/search/v1", json={}).status_code == 403
    assert client.post("/acme/road/search", json={}).status_code == 403
