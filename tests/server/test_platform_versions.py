from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.test_projects import draw_picture

from atrous.core.class_map import ClassMap
from atrous.datasets.splits import Split
from atrous.workspace.keys import create_key
from atrous.workspace.projects import create_project
from atrous.workspace.records import JobKind, Scope, Training, TrainingState, VersionState
from atrous.workspace.trash import RETENTION, empty_trash

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

    from atrous.workspace.records import Version

SETTINGS = {
    "preprocessing": {"auto-orient": True, "resize": {"width": 64, "height": 32, "format": "Stretch to"}},
    "augmentation": {},
}
# All that the clients' constructor and wait loops read.
READ = {"id", "augmentation", "created", "images", "preprocessing", "splits", "exports", "generating", "progress"}


@pytest.fixture
def client(place: Place) -> TestClient:
    """A client of `acme`, whose project `road` has three labelled pictures."""
    create_project(place.ports, "acme", "road")
    place.ports.store.extend_classes("acme", "road", ["car"])
    splits = [Split.TRAIN, Split.TRAIN, Split.VALID]
    pictures = [draw_picture(n, split=split, class_pixels={0: 5, 1: 5}) for n, split in enumerate(splits)]
    place.ports.store.add_pictures("acme", "road", pictures)
    return place.client(key=place.key)


def make_version(client: TestClient, place: Place) -> Version:
    """A version that is ready."""
    number = int(client.post("/acme/road/generate", json=SETTINGS).json()["version"])
    version = place.ports.store.find_version("acme", "road", number)
    assert version is not None
    ready = replace(version, state=VersionState.READY, progress=1.0)
    place.ports.store.set_version(ready)
    return ready


def add_training(place: Place, training_id: str, state: TrainingState, **fields: Any) -> Training:
    training = Training(training_id, "acme", "road", 1, {}, state, place.ports.clock.now(), **fields)
    place.ports.store.add_training(training)
    return training


def show(client: TestClient, path: str = "/acme/road/1") -> Any:
    return client.get(path, params={"nocache": "true"}).json()["version"]


def test_a_version_is_there_at_once_and_being_made(client: TestClient, place: Place) -> None:
    reply = client.post("/acme/road/generate", json=SETTINGS | {"versionName": "first"})
    assert reply.status_code == 200
    assert reply.json().keys() == {"message", "version"}
    assert reply.json()["version"] == "1"
    shape = show(client)
    assert shape.keys() >= READ
    assert (shape["id"], shape["name"], shape["generating"], shape["progress"]) == ("acme/road/1", "first", True, 0.0)
    assert (shape["images"], shape["splits"]) == (3, {"train": 2, "valid": 1, "test": 0})
    assert shape["preprocessing"]["resize"].items() >= {"enabled": True, "width": 64, "height": 32}.items()
    assert "train" not in shape
    assert "model" not in shape
    assert client.get("/acme/road").json()["versions"] == [shape]
    assert client.get("/acme/road").json()["project"]["versions"] == 1
    (job,) = place.ports.queue.list_jobs("acme", JobKind.GENERATE)
    assert job.subject == "road/1"


def test_a_version_that_could_not_be_made_tells_why_and_is_not_waited_for(client: TestClient, place: Place) -> None:
    version = make_version(client, place)
    place.ports.store.set_version(replace(version, state=VersionState.FAILED, error="the disk is full"))
    shape = show(client)
    assert (shape["generating"], shape["error"]) == (False, "the disk is full")
    assert shape["images"] > 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"preprocessing": {"nonsense": True}, "augmentation": {}}, 400),
        ({"preprocessing": []}, 422),
        ([], 422),
        ({"preprocessing": {}, "versionName": "a" * 300}, 422),
    ],
)
def test_settings_that_cannot_be_are_refused_and_take_no_number(client: TestClient, body: Any, status: int) -> None:
    refused = client.post("/acme/road/generate", json=body)
    assert refused.status_code == status
    assert refused.json()["error"]["message"]
    assert client.get("/acme/road").json()["versions"] == []


@pytest.mark.parametrize("number", ["2", "0", "9" * 18, "9" * 30, "x"])
def test_a_version_that_is_not_there_is_not_found(client: TestClient, number: str) -> None:
    for method in ("GET", "DELETE"):
        assert client.request(method, f"/acme/road/{number}").status_code == 404


# Trainings


def test_a_training_is_followed_until_it_has_results(client: TestClient, place: Place) -> None:
    make_version(client, place)
    training = add_training(place, "t1", TrainingState.QUEUED, model_type="deeplabv3plus-sem")
    assert show(client)["train"].items() >= {"status": "queued", "trainingId": "t1"}.items()
    assert "results" not in show(client)["train"]
    assert show(client)["models"] == {}
    epochs = ({"epoch": 1, "loss": 0.9, "miou": None}, {"epoch": 2, "loss": 0.5, "miou": 0.25})
    place.ports.store.set_training(replace(training, state=TrainingState.RUNNING, epochs=epochs))
    shape = show(client)
    assert shape["models"]["roboflow-train"]["epochs"] == [{"epoch": 2, "mAP": 0.25, "class_loss": 0.5}]
    assert "results" not in shape["train"]
    place.ports.store.set_training(replace(training, state=TrainingState.DONE, epochs=epochs))
    place.publish(training_id="t1")
    shape = show(client)
    assert (shape["train"]["status"], shape["train"]["results"]["epochs"]) == ("finished", 2)
    assert (shape["model"]["id"], shape["model"]["modelId"]) == ("road/1", "acme/road-1-a")


def test_a_failed_training_has_a_status_and_no_results(client: TestClient, place: Place) -> None:
    make_version(client, place)
    add_training(place, "t1", TrainingState.FAILED, error="out of memory")
    train = show(client)["train"]
    assert (train["status"], train["error"]) == ("failed", "out of memory")
    assert "results" not in train


@pytest.mark.parametrize("state", [TrainingState.CANCELLED, TrainingState.STOPPED])
def test_nobody_waits_for_a_training_that_was_ended(client: TestClient, place: Place, state: TrainingState) -> None:
    make_version(client, place)
    add_training(place, "t1", state)
    assert show(client)["train"]["results"]["mIoU"] is None


def test_the_newest_training_is_told_and_the_oldest_model(client: TestClient, place: Place) -> None:
    make_version(client, place)
    for training_id in ("t1", "t2"):
        add_training(place, training_id, TrainingState.DONE)
        place.publish(f"road-1-{training_id}", training_id=training_id)
    add_training(place, "t3", TrainingState.RUNNING)
    shape = show(client)
    assert shape["train"]["trainingId"] == "t3"
    assert shape["model"]["modelId"] == "acme/road-1-t1"


# The trash


def test_a_version_goes_to_the_trash_and_comes_back(client: TestClient, place: Place) -> None:
    make_version(client, place)
    deleted = client.delete("/acme/road/1")
    assert deleted.status_code == 200
    told = {"deleted": True, "type": "version", "trash": True, "project": "road", "version": "1"}
    assert deleted.json().items() >= told.items()
    assert client.get("/acme/road/1").status_code == 404
    assert client.delete("/acme/road/1").status_code == 404
    (item,) = client.get("/acme/trash").json()["sections"]["versions"]
    assert (item["id"], item["parentId"], item["parentUrl"], item["type"]) == ("1", "road", "road", "version")
    request = {"type": "version", "id": item["id"], "parentId": item["parentId"]}
    restored = client.post("/acme/trash/restore", json=request)
    assert restored.json().items() >= {"restored": True, "type": "version"}.items()
    assert show(client)["id"] == "acme/road/1"
    assert client.get("/acme/trash").json()["items"] == []


def test_a_project_takes_all_that_is_in_it_along(client: TestClient, place: Place) -> None:
    make_version(client, place)
    place.publish()
    assert client.delete("/acme/road").json().items() >= {"deleted": True, "type": "project"}.items()
    for path in ("/acme/road", "/acme/road/1", "/acme/road/health"):
        assert client.get(path).status_code == 404
    assert client.post("/road/1", content=b"x").status_code == 404
    (item,) = client.get("/acme/trash").json()["sections"]["projects"]
    assert (item["id"], item["url"]) == ("road", "road")
    again = client.post("/acme/trash/restore", json={"type": "version", "id": 1, "parentId": "road"})
    assert (again.status_code, type(again.json()["error"])) == (409, str)
    assert client.post("/acme/trash/restore", json={"type": "project", "id": "road"}).status_code == 200
    assert "model" in show(client) or show(client)["id"] == "acme/road/1"


def test_a_queued_training_is_cancelled_with_its_project(client: TestClient, place: Place) -> None:
    from atrous.workspace.trainings import queue_training

    training = queue_training(place.ports, make_version(client, place), {})
    client.delete("/acme/road")
    client.post("/acme/trash/restore", json={"type": "project", "id": "road"})
    kept = place.ports.store.find_training("acme", training.id)
    assert kept is not None
    assert kept.state is TrainingState.CANCELLED


def test_a_training_comes_back_with_its_model(client: TestClient, place: Place) -> None:
    from atrous.workspace.trainings import delete_training

    make_version(client, place)
    training = add_training(place, "t1", TrainingState.DONE)
    place.publish(training_id="t1")
    delete_training(place.ports, training)
    assert "model" not in show(client)
    (item,) = client.get("/acme/trash").json()["sections"]["trainings"]
    assert (item["id"], item["parentName"]) == ("t1", "road/1")
    restored = client.post("/acme/trash/restore", json={"type": "training", "id": "t1"}).json()
    assert (restored["versionAliasAction"], restored["versionAliasTarget"]) == ("repointed", "road-1-a")
    assert show(client)["model"]["modelId"] == "acme/road-1-a"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "project", "id": "sea"}, 404),
        ({"type": "version", "id": "7", "parentId": "road"}, 404),
        ({"type": "version", "id": "1"}, 400),
        ({"type": "version", "id": "x", "parentId": "road"}, 400),
        ({"type": "training", "id": "t9"}, 404),
        ({"type": "workflow", "id": "w"}, 422),
        ({"type": "project", "id": "a\x00b"}, 422),
        ({"type": "project", "id": "a" * 500}, 422),
    ],
)
def test_what_is_not_in_the_trash_cannot_be_restored(client: TestClient, body: dict[str, Any], status: int) -> None:
    refused = client.post("/acme/trash/restore", json=body)
    assert refused.status_code == status
    assert isinstance(refused.json()["error"], str)


def test_a_read_key_deletes_and_restores_nothing(client: TestClient, place: Place) -> None:
    make_version(client, place)
    _, reader = create_key(place.ports, "acme", "reader", scope=Scope.READ)
    params = {"api_key": reader}
    assert client.delete("/acme/road", params=params).status_code == 403
    assert client.delete("/acme/road/1", params=params).status_code == 403
    assert client.post("/acme/trash/restore", json={"type": "project", "id": "road"}, params=params).status_code == 403
    assert client.post("/acme/road/generate", json=SETTINGS, params=params).status_code == 403


def test_the_trash_is_emptied_of_what_is_older_than_30_days(client: TestClient, place: Place) -> None:
    ports = place.ports
    for _ in range(2):
        make_version(client, place)
    client.delete("/acme/road/1")
    deleted = ports.clock.now()
    create_project(ports, "acme", "sea")
    client.delete("/acme/sea")
    assert empty_trash(ports, deleted + RETENTION - timedelta(minutes=1)) == []
    gone = empty_trash(ports, deleted + RETENTION + timedelta(minutes=1))
    assert {(item.kind, item.id) for item in gone} == {("version", "1"), ("project", "sea")}
    assert client.get("/acme/trash").json()["items"] == []
    assert create_project(ports, "acme", "sea").slug == "sea"
    assert make_version(client, place).number == 3


def test_classes_of_a_version_are_named_and_coloured(client: TestClient, place: Place) -> None:
    version = make_version(client, place)
    place.ports.store.set_version(replace(version, class_map=ClassMap(("background", "car", "tree"))))
    shape = show(client)
    assert (shape["classes"], list(shape["colors"])) == (["car", "tree"], ["car", "tree"])
