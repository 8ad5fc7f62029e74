from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.server.test_projects import draw_picture

from atrous.workspace.keys import create_key
from atrous.workspace.projects import create_project
from atrous.workspace.records import JobKind, JobState, VersionState
from atrous.workspace.versions import request_version

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

    from atrous.workspace.records import Job, Version

ZIP = b"PK" + bytes(range(256)) * 40


@pytest.fixture
def version(place: Place) -> Version:
    create_project(place.ports, "acme", "road")
    place.ports.store.extend_classes("acme", "road", ["car"])
    place.ports.store.add_pictures("acme", "road", [draw_picture(n, class_pixels={0: 5, 1: 5}) for n in range(3)])
    made = request_version(place.ports, "acme", "road", {"preprocessing": {}, "augmentation": {}})
    ready = replace(made, state=VersionState.READY, progress=1.0)
    place.ports.store.set_version(ready)
    return ready


@pytest.fixture
def client(place: Place, version: Version) -> TestClient:
    return place.client(key=place.key)


def claim(place: Place) -> Job:
    now = place.ports.clock.now()
    job = place.ports.queue.claim_job("worker", [JobKind.EXPORT], now, now.replace(year=now.year + 1))
    assert job is not None
    return job


def finish(place: Place, data: bytes = ZIP) -> None:
    """Do what the worker does."""
    job, ports = claim(place), place.ports
    result = {"sha256": ports.blobs.put(data), "bytes": len(data)}
    ports.queue.end_job(job.id, "worker", JobState.DONE, ports.clock.now(), result=result)


def ask(client: TestClient, format_name: str = "coco", **options: Any) -> Any:
    return client.get(f"/acme/road/1/{format_name}", **options)


def ready_link(client: TestClient, place: Place) -> str:
    ask(client)
    finish(place)
    return ask(client).json()["export"]["link"]


def test_an_export_is_made_once_and_then_given_by_a_link(client: TestClient, place: Place) -> None:
    for _ in range(2):
        assert (ask(client).status_code, ask(client).json()) == (202, {"progress": 0.0})
    job = claim(place)
    now = place.ports.clock.now()
    place.ports.queue.renew_lease(job.id, "worker", now.replace(year=now.year + 1), {"done": 2, "total": 8})
    assert ask(client).json() == {"progress": 0.25}
    result = {"sha256": place.ports.blobs.put(ZIP), "bytes": len(ZIP)}
    place.ports.queue.end_job(job.id, "worker", JobState.DONE, now, result=result)
    reply = ask(client)
    assert reply.status_code == 200
    export = reply.json()["export"]
    assert (export["format"], export["size"]) == ("coco", len(ZIP))
    assert reply.json()["version"]["id"] == "acme/road/1"
    assert len(place.ports.queue.list_jobs("acme", JobKind.EXPORT)) == 1


def test_what_is_ready_is_listed_and_nothing_else(client: TestClient, place: Place) -> None:
    """Clients ask once for what is listed and give up where it is not ready; what is not listed they wait for."""
    ask(client)
    assert client.get("/acme/road/1").json()["version"]["exports"] == []
    finish(place)
    assert client.get("/acme/road/1").json()["version"]["exports"] == ["coco"]
    assert client.get("/acme/road").json()["versions"][0]["exports"] == ["coco"]


def test_a_link_needs_no_key_and_announces_its_length(client: TestClient, place: Place) -> None:
    link = urlsplit(ready_link(client, place))
    assert link.netloc == "testserver"
    anybody = place.client()
    whole = anybody.get(link.path)
    assert (whole.status_code, whole.content) == (200, ZIP)
    assert whole.headers["content-length"] == str(len(ZIP))
    assert whole.headers["content-type"] == "application/zip"
    assert "road.v1.coco.zip" in whole.headers["content-disposition"]
    head = anybody.head(link.path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(ZIP)), b"")
    part = anybody.get(link.path, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, ZIP[10:20])
    assert anybody.get(link.path, headers={"range": "bytes=999999-"}).status_code == 416


def test_a_link_leads_back_through_the_proxy_it_was_asked_through(client: TestClient, place: Place) -> None:
    ready_link(client, place)
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "seg.example.org", "x-forwarded-prefix": "/a"}
    assert (
        ask(client, headers=headers).json()["export"]["link"].startswith("https://seg.example.org/a/platform/exports/")
    )


@pytest.mark.parametrize("token", ["x", "1.2.3", "ffffffff.YQ.YQ"])
def test_a_link_that_was_not_given_opens_nothing(place: Place, token: str) -> None:
    reply = place.client().get(f"/platform/exports/{token}.zip")
    assert reply.status_code == 404
    assert "ask for a new one" in reply.json()["error"]["message"]


def test_a_file_that_is_gone_is_not_found_and_made_again(client: TestClient, place: Place) -> None:
    path = urlsplit(ready_link(client, place)).path
    (job,) = place.ports.queue.list_jobs("acme", JobKind.EXPORT)
    place.ports.blobs.remove(job.result["sha256"])
    assert place.client().get(path).status_code == 404
    assert ask(client).status_code == 202
    finish(place)
    assert ask(client).status_code == 200


def test_a_failed_export_tells_why_and_is_tried_again(client: TestClient, place: Place) -> None:
    ask(client)
    job = claim(place)
    place.ports.queue.end_job(job.id, "worker", JobState.FAILED, place.ports.clock.now(), error="the disk is full")
    failed = ask(client)
    assert failed.status_code == 409
    assert "the disk is full" in failed.json()["error"]["message"]
    assert ask(client).status_code == 202
    finish(place)
    assert ask(client).status_code == 200


@pytest.mark.parametrize("format_name", ["voc", "train", "v2", "x" * 300, "a%2Fb", "%00"])
def test_an_unknown_format_is_refused_with_the_known_ones(client: TestClient, format_name: str) -> None:
    refused = ask(client, format_name)
    assert refused.status_code in {400, 404, 405, 422}
    if refused.status_code == 400:
        assert "png-mask-semantic, coco" in refused.json()["error"]["message"]


def test_a_version_in_the_making_is_waited_for(client: TestClient, place: Place, version: Version) -> None:
    place.ports.store.set_version(replace(version, state=VersionState.GENERATING))
    assert ask(client).status_code == 202
    place.ports.store.set_version(replace(version, state=VersionState.FAILED, error="no pictures"))
    assert ask(client).status_code == 409
    assert "no pictures" in ask(client).json()["error"]["message"]


def test_what_the_key_may_not_see_is_not_exported(client: TestClient, place: Place) -> None:
    _, other = create_key(place.ports, "other", "tests")
    for path in ("/acme/road/1/coco", "/other/road/1/coco"):
        assert client.get(path, params={"api_key": other}).status_code == 404
    assert ask(client, params={"api_key": "wrong"}).status_code == 401
    assert place.ports.queue.list_jobs("acme", JobKind.EXPORT) == []
