"""Single pictures over HTTP: shown, sent, taken out."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from tests.adapters.rows import make_picture, make_project
from tests.fakes.pictures import BLUE, RED, encode_squares
from tests.server.place import Place, make_place

from atrous.bundle.picture import decode_grey_levels, decode_picture
from atrous.core.sizes import Size
from atrous.runtime.png import encode_grey_png
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

MASK_HW = np.array([[0, 1], [2, 255]], np.uint8).repeat(8, 0).repeat(8, 1)
JPEG = encode_squares([[RED, BLUE], [BLUE, RED]])
LABELLED, PLAIN = "a" * 20, "b" * 20


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A picture with a label and one without in `road`."""
    place = make_place(tmp_path)
    image, mask = place.ports.blobs.put(JPEG), place.ports.blobs.put(encode_grey_png(MASK_HW))
    other = place.ports.blobs.put(encode_squares([[RED] * 100]))
    size = Size(height=16, width=16)
    shown = {0: 64, 1: 64, 2: 64, 255: 64}
    store = place.ports.store
    store.add_project(make_project())
    store.add_project(make_project("lake"))
    labelled = make_picture("a.jpg", image_sha256=image, mask_sha256=mask, size=size, class_pixels=shown, id=LABELLED)
    plain = make_picture(
        "b.jpg", image_sha256=other, mask_sha256=None, id=PLAIN, tags=("night",), metadata={"camera": 1}
    )
    store.add_pictures("acme", "road", [labelled, plain])
    return place


@pytest.fixture
def client(place: Place) -> Iterator[TestClient]:
    with place.client(key=place.key) as client:
        yield client


def show(client: TestClient, picture_id: str) -> dict[str, Any]:
    reply = client.get(f"/acme/road/images/{picture_id}")
    assert reply.status_code == 200, reply.text
    return reply.json()["image"]


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_a_picture_is_shown_with_what_is_known_of_it(client: TestClient) -> None:
    shown = show(client, LABELLED)
    assert shown["id"] == LABELLED
    assert (shown["name"], shown["split"], shown["labels"]) == ("a.jpg", "train", ["road", "Straßenschild"])
    annotation = shown["annotation"]
    assert annotation["classes"] == {"road": 64, "Straßenschild": 64}
    assert (annotation["width"], annotation["height"]) == (16, 16)
    plain = show(client, PLAIN)
    assert (plain["annotation"], plain["urls"]["annotation"]) == (None, None)
    assert (plain["tags"], plain["user_metadata"]) == (["night"], {"camera": 1})


def test_links_of_a_picture_open_its_files_without_a_key(place: Place, client: TestClient) -> None:
    urls = show(client, LABELLED)["urls"]
    anyone = place.client()
    file = anyone.get(path_of(urls["original"]))
    assert (file.content, file.headers["content-type"]) == (JPEG, "image/png")
    assert file.headers["x-content-type-options"] == "nosniff"
    label = anyone.get(path_of(urls["annotation"]))
    assert np.array_equal(decode_grey_levels(label.content), MASK_HW)
    thumb = anyone.get(path_of(urls["thumb"]))
    assert thumb.headers["content-type"] == "image/jpeg"
    assert decode_picture(thumb.content).shape == (16, 16, 3)


def test_a_thumbnail_has_at_most_320_pixels_a_side(client: TestClient) -> None:
    reply = client.get(f"/platform/images/{PLAIN}/thumbnail")
    assert decode_picture(reply.content).shape == (3, 320, 3)


def test_a_key_opens_files_too(place: Place, client: TestClient) -> None:
    path = f"/platform/images/{LABELLED}/file"
    assert client.get(path).content == JPEG
    assert place.client().get(path, params={"api_key": place.key}).content == JPEG
    assert place.client().get(path).status_code == 401
    assert client.get(f"/platform/images/{PLAIN}/label").status_code == 404


def test_a_part_of_a_file_may_be_asked_for(client: TestClient) -> None:
    reply = client.get(f"/platform/images/{LABELLED}/file", headers={"range": "bytes=0-7"})
    assert (reply.status_code, reply.content) == (206, JPEG[:8])


@pytest.mark.parametrize(("wanted", "status"), [("bytes=x", 400), ("pixels=0-7", 400), ("bytes=9999999-", 416)])
def test_a_part_that_cannot_be_had_is_refused_as_everything_else(client: TestClient, wanted: str, status: int) -> None:
    reply = client.get(f"/platform/images/{LABELLED}/file", headers={"range": wanted})
    assert reply.status_code == status
    assert reply.json()["error"] == {
        "message": reply.json()["message"],
        "status": status,
        "type": HTTPStatus(status).phrase,
    }
    assert reply.headers.get("content-range") == (f"bytes */{len(JPEG)}" if status == 416 else None)


def test_a_link_opens_its_file_alone_and_for_a_day(place: Place, client: TestClient) -> None:
    link = urlsplit(show(client, LABELLED)["urls"]["original"]).query
    anyone = place.client()
    path = f"/platform/images/{LABELLED}/file?{link}"
    assert anyone.get(path).status_code == 200
    for other in (
        f"/platform/images/{LABELLED}/label?{link}",
        f"/platform/images/{PLAIN}/file?{link}",
        path[:-1],
        f"/platform/images/{LABELLED}/file?link=",
        f"/platform/images/{LABELLED}/file?link=x.y.z",
    ):
        assert anyone.get(other).status_code == 404, other
    place.ports.clock._now += timedelta(days=1, minutes=1)
    assert anyone.get(path).status_code == 404


def test_a_link_is_void_when_the_picture_or_its_project_is_gone(place: Place, client: TestClient) -> None:
    path = path_of(show(client, LABELLED)["urls"]["original"])
    assert client.request("DELETE", "/acme/road/images", json={"images": [LABELLED]}).status_code == 204
    assert place.client().get(path).status_code == 404


def test_a_picture_of_another_project_is_not_found(client: TestClient) -> None:
    for path in (f"/acme/lake/images/{LABELLED}", "/acme/road/images/none", f"/other/road/images/{LABELLED}"):
        reply = client.get(path)
        assert reply.status_code == 404
        assert reply.json()["error"]["message"]


def test_pictures_are_taken_out_of_a_project(place: Place, client: TestClient) -> None:
    reply = client.request("DELETE", "/acme/road/images", json={"images": [LABELLED, "none"]})
    assert (reply.status_code, reply.content) == (204, b"")
    assert [picture.id for picture in place.ports.store.list_pictures("acme", "road")] == [PLAIN]
    assert client.get(f"/acme/road/images/{LABELLED}").status_code == 404
    project = place.ports.store.find_project("acme", "road")
    assert project is not None
    assert project.updated is not None


@pytest.mark.parametrize("path", ["/acme/road/images", "/acme/lake/images", "/acme/sea/images"])
def test_taking_out_what_is_not_there_is_told(place: Place, client: TestClient, path: str) -> None:
    gone = ["none"] if "road" in path else [LABELLED]
    assert client.request("DELETE", path, json={"images": gone}).status_code == 404
    assert len(place.ports.store.list_pictures("acme", "road")) == 2


@pytest.mark.parametrize("body", [{}, {"images": []}, {"images": "all"}, {"images": [1]}, {"images": ["x"] * 10_001}])
def test_a_deletion_of_another_form_is_refused(client: TestClient, body: Any) -> None:
    assert client.request("DELETE", "/acme/road/images", json=body).status_code == 422


def test_pictures_in_projects_are_skipped_by_the_workspace(place: Place, client: TestClient) -> None:
    reply = client.request("DELETE", "/acme/images", json={"images": [LABELLED, PLAIN]})
    assert reply.status_code == 200
    told = reply.json()
    assert (told["deletedSources"], told["skippedSources"], told["deleted"], told["skipped"]) == (0, 2, 0, 2)
    assert len(place.ports.store.list_pictures("acme", "road")) == 2


@pytest.mark.parametrize("scope", [Scope.INFER, Scope.READ, Scope.MANAGE])
def test_deleting_pictures_needs_the_scope_admin(place: Place, scope: Scope) -> None:
    _, secret = create_key(place.ports, "acme", "tests", scope=scope)
    client = place.client(key=secret)
    for path in ("/acme/road/images", "/acme/images"):
        assert client.request("DELETE", path, json={"images": [PLAIN]}).status_code == 403
    assert client.get(f"/acme/road/images/{PLAIN}").status_code == (403 if scope is Scope.INFER else 200)


def test_a_file_that_is_no_picture_is_sent_as_bytes_alone(place: Place, client: TestClient) -> None:
    page = place.ports.blobs.put(b"<html><script>alert(1)</script>")
    place.ports.store.add_pictures("acme", "road", [make_picture("x.html", image_sha256=page, id="c" * 20)])
    reply = client.get(f"/platform/images/{'c' * 20}/file")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert client.get(f"/platform/images/{'c' * 20}/thumbnail").status_code == 400
