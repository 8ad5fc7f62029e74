"""Batches and the annotation jobs made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.pictures import BLUE, encode_squares
from tests.server.uploading import add_project, annotate, pictures_of, upload

from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

ORDER = {"labelerEmail": "ann@road.example", "reviewerEmail": "bob@road.example", "name": "night", "num_images": 2}


@pytest.fixture
def client(place: Place) -> TestClient:
    """Three pictures of the batch `june`, one of them labelled, and one of another."""
    add_project(place, "road")
    client = place.client(key=place.key)
    for n in range(3):
        picture_id = upload(client, f"{n}.png", encode_squares([[(n, 0, 0), BLUE]]), batch="june")
    assert annotate(client, picture_id, "a.txt", "").status_code == 200
    upload(client, "other.png", encode_squares([[BLUE]]))
    return client


def test_batches_are_listed_and_found_by_an_id_that_stays(client: TestClient) -> None:
    june, other = client.get("/acme/road/batches").json()["batches"]
    assert (june["name"], june["images"], june["unannotated"]) == ("june", 3, 2)
    assert other["name"] == "Pip Package Upload"
    assert client.get(f"/acme/road/batches/{june['id']}").json() == {"batch": june}
    assert client.get("/acme/road/batches").json()["batches"][0]["id"] == june["id"]


def test_a_job_takes_pictures_of_its_batch_that_are_in_no_other(place: Place, client: TestClient) -> None:
    june = client.get("/acme/road/batches").json()["batches"][0]["id"]
    made = client.post("/acme/road/jobs", json={**ORDER, "batch": june, "instructionText": "roads only"}).json()
    assert (made["numImages"], made["sourceBatch"], made["instructionsText"]) == (2, june, "roads only")
    rest = client.post("/acme/road/jobs", json={**ORDER, "batch": june, "num_images": None, "name": None}).json()
    assert (rest["numImages"], rest["name"]) == (1, "june")
    jobs = [picture.annotation_job for _, picture in sorted(pictures_of(place).items())]
    assert jobs == [made["id"], made["id"], rest["id"], ""]
    assert client.get("/acme/road/jobs").json()["jobs"] == [made["job"], rest["job"]]
    assert client.get(f"/acme/road/jobs/{made['id']}").json() == {"job": made["job"]}
    full = client.post("/acme/road/jobs", json={**ORDER, "batch": june})
    assert full.status_code == 409
    assert "already" in full.json()["error"]["message"]


@pytest.mark.parametrize(
    ("status", "order"),
    [(404, {"batch": "nothing"}), (422, {}), (422, {"batch": "x", "num_images": 0}), (400, {"labelerEmail": " "})],
)
def test_a_job_that_cannot_be_is_refused(client: TestClient, status: int, order: dict[str, object]) -> None:
    june = client.get("/acme/road/batches").json()["batches"][0]["id"]
    body = {**ORDER, **({"batch": june} if status == 400 else {}), **order}
    reply = client.post("/acme/road/jobs", json=body)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_what_is_not_there_or_not_the_keys_is_404(place: Place, client: TestClient) -> None:
    _, other = create_key(place.ports, "other", "tests")
    for path in ("/acme/road/batches/nothing", "/acme/road/jobs/nothing", "/acme/sea/batches", "/acme/sea/jobs"):
        assert client.get(path).status_code == 404
    stranger = place.client(key=other)
    for path in ("/acme/road/batches", "/acme/road/jobs"):
        assert stranger.get(path).status_code == 404
