from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.adapters.rows import make_project

from atrous.bundle.layout import WEIGHTS_TORCH
from atrous.workspace.keys import create_key
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place


@pytest.fixture
def models(place: Place) -> TestClient:
    """Two models of two trainings of `road/1`, the second with the better score."""
    place.ports.store.add_project(make_project("road"))
    for slug, training_id, miou in (("road-1-a", "t1", 0.4), ("road-1-b", "t2", 0.6)):
        place.publish(slug, training_id=training_id, seed=len(slug))
        place.ports.store.add_metrics("acme", slug, {"miou": miou})
    return place.client(key=place.key)


def test_a_project_lists_its_models_and_recommends_the_best(models: TestClient) -> None:
    rows = models.get("/acme/road/models").json()
    assert [(row["url"], row["modelId"], row["recommended"]) for row in rows] == [
        ("road-1-a", "acme/road-1-a", False),
        ("road-1-b", "acme/road-1-b", True),
    ]
    assert rows[0]["modelType"] == "deeplabv3plus-sem"
    assert rows[0]["metrics"] == {"mIoU": 0.4}


def test_a_group_is_the_models_of_one_training(models: TestClient) -> None:
    assert [row["url"] for row in models.get("/acme/road/models", params={"group": "t2"}).json()] == ["road-1-b"]
    assert models.get("/acme/road/models", params={"group": "t3"}).json() == []


def test_one_model_is_found_by_its_slug(models: TestClient) -> None:
    assert models.get("/models/acme/road-1-b").json()["modelId"] == "acme/road-1-b"
    assert models.get("/models/acme/road-1-c").status_code == 404
    assert models.get("/acme/river/models").status_code == 404


@pytest.mark.parametrize("name", ["1", "road-1-a"])
def test_weights_are_linked_by_number_and_by_slug(place: Place, models: TestClient, name: str) -> None:
    url = models.get(f"/acme/road/{name}/ptFile", headers={"host": "models.example:9001"}).json()["weightsUrl"]
    assert url.startswith("http://models.example:9001/platform/weights/")
    path = url.removeprefix("http://models.example:9001")
    weights = (place.bundle_folder("road-1-a") / WEIGHTS_TORCH).read_bytes()
    reply = place.client().get(path)
    assert (reply.content, reply.headers["content-length"]) == (weights, str(len(weights)))
    assert place.client().head(path).headers["content-length"] == str(len(weights))
    part = place.client().get(path, headers={"range": "bytes=3-5"})
    assert (part.status_code, part.content) == (206, weights[3:6])


def test_weights_of_another_project_are_404(place: Place, models: TestClient) -> None:
    place.ports.store.add_project(make_project("river"))
    assert models.get("/acme/river/road-1-a/ptFile").status_code == 404
    assert models.get("/acme/river/1/ptFile").status_code == 404


def test_a_link_for_weights_opens_nothing_else_and_cannot_be_guessed(place: Place, models: TestClient) -> None:
    token = models.get("/acme/road/1/ptFile").json()["weightsUrl"].split("/")[-2]
    client = place.client()
    guess = token[:-1] + ("x" if token[-1] != "x" else "y")
    assert client.get(f"/platform/weights/{guess}/weights.pt").status_code == 404
    assert client.get(f"/platform/packages/{token}/weights.onnx").status_code == 404


def test_a_link_ends_with_its_model(place: Place, models: TestClient) -> None:
    path = models.get("/acme/road/1/ptFile").json()["weightsUrl"].removeprefix("http://testserver")
    training = place.ports.store.find_training("acme", "t1")
    assert training is not None
    place.ports.store.set_training(replace(training, deleted=place.ports.clock.now()))
    assert place.client().get(path).status_code == 404


def test_a_key_that_may_only_predict_gets_no_weights_file(place: Place, models: TestClient) -> None:
    _, secret = create_key(place.ports, "acme", "camera", scope=Scope.INFER)
    assert place.client(key=secret).get("/acme/road/1/ptFile").status_code == 403
    assert models.get("/acme/road/1/ptFile").status_code == 200
