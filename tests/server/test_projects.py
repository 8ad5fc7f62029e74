from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.keys import create_key
from atrous.workspace.records import Picture, Scope

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

# All that the clients' constructor reads, which fails where one is missing.
READ = {
    "id",
    "name",
    "type",
    "annotation",
    "classes",
    "colors",
    "created",
    "updated",
    "images",
    "unannotated",
    "splits",
    "public",
}


def make_project(client: TestClient, name: str = "Road", **fields: Any) -> Any:
    return client.post("/acme/projects", json={"name": name, "type": "semantic-segmentation", **fields})


def draw_picture(number: int, *, split: Split = Split.TRAIN, **fields: Any) -> Picture:
    sha256 = f"{number:064x}"
    return Picture(f"{number}.jpg", sha256, fields.pop("mask", sha256), split, Size(height=30, width=40), **fields)


@pytest.fixture
def client(place: Place) -> TestClient:
    return place.client(key=place.key)


def test_a_project_is_made_empty_and_told_at_the_top_level(client: TestClient) -> None:
    made = make_project(client, "Street Scenes", license="MIT", annotation="things")
    assert made.status_code == 200
    content = made.json()
    assert content.keys() >= READ
    assert (content["id"], content["name"]) == ("acme/street-scenes", "Street Scenes")
    assert (content["type"], content["license"], content["annotation"]) == ("semantic-segmentation", "MIT", "things")
    assert (content["images"], content["classes"], content["splits"]) == (0, {}, {"train": 0, "valid": 0, "test": 0})
    assert client.get("/acme/street-scenes").json() == {
        "workspace": {"name": "acme", "url": "acme", "members": []},
        "project": content,
        "versions": [],
    }


def test_a_workspace_tells_the_whole_shape_of_each_project(client: TestClient) -> None:
    shapes = [make_project(client, name).json() for name in ("road", "sea")]
    content = client.get("/acme").json()["workspace"]
    assert (content["name"], content["url"], content["projects"]) == ("acme", "acme", shapes)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Straße & Weg", "strae-weg"),
        ("  a  b ", "a-b"),
        ("12", "project-12"),
        ("models", "project-models"),
        ("道路", "project"),
        ("-_-", "project"),
        ("é" * 200, "e" * 64),
    ],
)
def test_a_name_becomes_a_slug(client: TestClient, name: str, slug: str) -> None:
    assert make_project(client, name).json()["id"] == f"acme/{slug}"


def test_a_taken_slug_gets_a_number_in_the_trash_too(client: TestClient) -> None:
    slugs = [make_project(client).json()["id"] for _ in range(2)]
    assert client.delete("/acme/road").status_code == 200
    slugs.append(make_project(client).json()["id"])
    assert slugs == ["acme/road", "acme/road-2", "acme/road-3"]


def test_a_project_is_never_called_as_a_model_is(client: TestClient, place: Place) -> None:
    place.publish("road-1-a")
    assert make_project(client, "Road 1 a").json()["id"] == "acme/road-1-a-2"


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"type": "object-detection"}, 400, "semantic-segmentation"),
        ({"name": " "}, 400, "project name"),
        ({"name": "a\x00b"}, 400, "project name"),
        ({"name": "a" * 257}, 400, "256"),
        ({"name": "a" * 2000}, 422, "name"),
        ({"name": 5}, 422, "name"),
        ({"annotation": "\x07"}, 400, "annotation group"),
    ],
)
def test_what_cannot_be_a_project_is_refused_in_a_sentence(
    client: TestClient, fields: dict[str, Any], status: int, word: str
) -> None:
    refused = make_project(client, **{"name": "road", **fields})
    assert refused.status_code == status
    assert word in refused.json()["error"]["message"]
    assert client.get("/acme").json()["workspace"]["projects"] == []


def test_pictures_are_counted_by_split_class_and_label(client: TestClient, place: Place) -> None:
    make_project(client)
    store = place.ports.store
    store.extend_classes("acme", "road", ["car", "tree"])
    store.add_pictures(
        "acme",
        "road",
        [
            draw_picture(1, class_pixels={0: 5, 1: 5}),
            draw_picture(2, split=Split.VALID, class_pixels={0: 10}),
            draw_picture(3, mask=None),
        ],
    )
    content = client.get("/acme/road").json()["project"]
    assert (content["images"], content["unannotated"]) == (3, 1)
    assert content["splits"] == {"train": 2, "valid": 1, "test": 0}
    assert content["classes"] == {"car": 1, "tree": 0}
    assert len(set(content["colors"].values())) == 2


def test_health_tells_what_is_missing(client: TestClient, place: Place) -> None:
    make_project(client)
    empty = client.get("/acme/road/health").json()["stats"]
    assert (empty["numImages"], empty["avgImageSize"], empty["classes"]) == (0, [0.0, 0.0], [])
    place.ports.store.extend_classes("acme", "road", ["car", "tree"])
    pictures = [draw_picture(1, class_pixels={0: 5, 1: 5, 255: 1}), draw_picture(2, class_pixels={0: 9, 255: 1})]
    place.ports.store.add_pictures("acme", "road", [*pictures, draw_picture(3, mask=None)])
    stats = client.get("/acme/road/health", params={"regenerate": "true"}).json()["stats"]
    assert (stats["numImages"], stats["missingAnnotations"], stats["nullAnnotations"]) == (3, 1, 1)
    assert (stats["numAnnotations"], stats["classDistribution"]) == (1, {"car": 1, "tree": 0})
    assert (stats["avgImageSize"], stats["medianImageRatio"]) == ([40.0, 30.0], 1.3333)
    assert (stats["annotated"], stats["unannotated"], stats["empty"], stats["numClasses"]) == (2, 1, 1, 2)


@pytest.mark.parametrize(
    "path", ["/other", "/other/road", "/other/road/health", "/nobody", "/acme/sea", "/acme/sea/health"]
)
def test_what_the_key_may_not_see_does_not_exist(client: TestClient, place: Place, path: str) -> None:
    _, other = create_key(place.ports, "other", "tests")
    made = client.post("/other/projects", json={"name": "road"}, headers={"authorization": f"Bearer {other}"})
    assert made.status_code == 200
    refused = client.get(path)
    assert refused.status_code == 404
    assert refused.json()["error"]["status"] == 404


def test_an_infer_key_sees_no_projects_and_a_read_key_makes_none(client: TestClient, place: Place) -> None:
    make_project(client)
    _, weak = create_key(place.ports, "acme", "camera", scope=Scope.INFER)
    _, reader = create_key(place.ports, "acme", "reader", scope=Scope.READ)
    for path in ("/acme", "/acme/road", "/acme/road/health", "/acme/trash"):
        assert client.get(path, params={"api_key": weak}).status_code == 403
        assert client.get(path, params={"api_key": reader}).status_code == 200
    assert client.post("/acme/projects", json={"name": "x"}, params={"api_key": reader}).status_code == 403


@pytest.mark.parametrize("path", ["/road/1", "/acme/road?image=https%3A%2F%2Fexample.org%2Fa.jpg"])
def test_prediction_by_get_is_left_to_prediction(client: TestClient, path: str) -> None:
    make_project(client)
    assert "URL" in client.get(path, params={}).text or "not found in this workspace" in client.get(path).text


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt", "/.env", "/Acme", "/models"])
def test_a_path_that_can_be_no_workspace_is_not_asked_for_a_key(place: Place, path: str) -> None:
    assert place.client().get(path).status_code == 404


# Signing in


def test_a_key_tells_its_workspace(client: TestClient, place: Place) -> None:
    _, weak = create_key(place.ports, "acme", "camera", scope=Scope.INFER)
    for key in (place.key, weak):
        for reply in (
            place.client().post("/", params={"api_key": key}),
            place.client().get("/", params={"api_key": key}),
        ):
            assert reply.status_code == 200
            assert reply.json()["workspace"] == "acme"
            assert {"welcome", "instructions", "docs"} <= reply.json().keys()


def test_a_wrong_key_is_told_so_and_no_key_shows_the_page(place: Place) -> None:
    client = place.client()
    assert client.post("/", params={"api_key": "wrong"}).status_code == 401
    assert client.get("/", params={"api_key": "wrong"}).status_code == 401
    assert client.get("/").headers["content-type"].startswith("text/html")


def test_a_key_is_its_own_token(place: Place) -> None:
    client = place.client()
    assert client.get(f"/query/cliAuthToken/{place.key}").json() == {
        "acme": {"url": "acme", "name": "acme", "apiKey": place.key}
    }
    assert client.get("/query/cliAuthToken/wrong").json() is None
    assert client.get("/auth-cli").headers["content-type"].startswith("text/html")


def test_usage_and_stats_are_what_there_is(client: TestClient) -> None:
    make_project(client)
    usage = client.post("/acme/billing-usage-report").json()["usage"]
    assert (usage["projects"], usage["images"], usage["credits"]) == (1, 0, 0)
    assert client.get("/acme/stats").json()["stats"]["road"]["images"] == 0


# What is not built


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/acme/projects/fork"),
        ("GET", "/acme/groups"),
        ("PATCH", "/acme/groups/1/projects"),
        ("GET", "/acme/autolabel/models"),
        ("POST", "/acme/road/autolabel/preview"),
        ("GET", "/acme/road/annotation-jobs"),
        ("GET", "/acme/road/1/uploadModel"),
        ("POST", "/acme/models/prepareUpload"),
        ("GET", "/universe/search"),
        ("GET", "/batch-processing/v1/external/acme/jobs"),
        ("GET", "/vision-events/x"),
    ],
)
def test_what_is_not_built_says_so(client: TestClient, method: str, path: str) -> None:
    reply = client.request(method, path, json={} if method in {"POST", "PATCH"} else None)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"].startswith("not part of this server")
