from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.datasets import add_version

from atrous.workspace.records import JobKind, JobState

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.server.place import Place

PATH = "/acme/road/1/upload-weights"


@pytest.fixture
def manager(place: Place) -> TestClient:
    """For `road/1`, which has no model."""
    add_version(place.ports, "acme", "road")
    return place.client(key=place.key)


def test_weights_are_announced_sent_without_a_key_and_left_to_a_worker(place: Place, manager: TestClient) -> None:
    announced = manager.post(PATH, json={"modelType": "deeplabv3plus-r50"}).json()
    task = f"{PATH}/{announced['taskId']}"
    assert manager.get(task).status_code == 404
    link = announced["signedUrl"].removeprefix("http://testserver")
    assert place.client().put(link, content=b"weights").json()["status"] == "queued"
    (job,) = place.ports.queue.list_jobs("acme", JobKind.PUBLISH)
    assert (job.id, job.subject, job.payload["model_type"]) == (announced["taskId"], "road/1", "deeplabv3plus-r50")
    assert place.ports.blobs.get(job.payload["weights"]) == b"weights"
    now = place.ports.clock.now()
    place.ports.queue.claim_job("worker", [JobKind.PUBLISH], now, now.replace(year=now.year + 1))
    place.ports.queue.end_job(job.id, "worker", JobState.DONE, now, result={"model": "road-1-x"})
    assert manager.get(task).json() == {
        "taskId": job.id,
        "status": "done",
        "modelId": "acme/road-1-x",
        "error": None,
    }


def test_a_link_takes_one_file(place: Place, manager: TestClient) -> None:
    link = manager.post(PATH).json()["signedUrl"].removeprefix("http://testserver")
    assert place.client().put(link, content=b"weights").status_code == 200
    assert place.client().put(link, content=b"weights").status_code == 409
    assert place.client().put(f"{link}x", content=b"weights").status_code == 404


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [
        (PATH, {"modelType": "yolov8"}, 400),
        (PATH, {"modelType": 1}, 422),
        ("/acme/road/2/upload-weights", {}, 404),
        ("/other/road/1/upload-weights", {}, 404),
    ],
)
def test_what_cannot_be_is_refused(manager: TestClient, path: str, order: dict[str, str], status: int) -> None:
    reply = manager.post(path, json=order)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]
