"""Tags and metadata over HTTP, and the job that changes many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.adapters.rows import NOON, later, make_picture, make_project
from tests.server.place import Place, make_place

from atrous.core.errors import StoppedError
from atrous.worker.metadata import change_metadata
from atrous.worker.watch import SilentWatch
from atrous.workspace.keys import create_key
from atrous.workspace.records import JobKind, JobState, Scope, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from starlette.testclient import TestClient

    from atrous.workspace.records import Picture

IDS = [f"{i:020d}" for i in range(3)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = make_place(tmp_path)
    place.ports.store.add_project(make_project())
    pictures = [make_picture(f"{one}.jpg", id=one, tags=("a", "b"), metadata={"camera": 1, "old": True}) for one in IDS]
    place.ports.store.add_pictures("acme", "road", pictures)
    return place


@pytest.fixture
def client(place: Place) -> Iterator[TestClient]:
    with place.client(key=place.key) as client:
        yield client


def find(place: Place, picture_id: str = IDS[0]) -> Picture:
    found = place.ports.store.find_picture("acme", picture_id)
    assert found is not None
    return found[1]


def work(place: Place, watch: Any = None) -> Mapping[str, Any]:
    """Do the queued job as a worker would."""
    job = place.ports.queue.claim_job("w", [JobKind.METADATA], NOON, later(60))
    assert job is not None
    result = change_metadata(place.ports, job, place.folder / "job", watch or SilentWatch())
    place.ports.queue.end_job(job.id, "w", JobState.DONE, later(1), result=result)
    return result


def test_tags_and_metadata_are_set_and_taken_away(place: Place, client: TestClient) -> None:
    body = {
        "metadata": {"camera": 2, "who": "me"},
        "removeMetadata": ["old"],
        "addTags": ["c", "a"],
        "removeTags": ["b"],
    }
    reply = client.post(f"/acme/images/{IDS[0]}/metadata", json=body)
    assert (reply.status_code, reply.json()) == (200, {"success": True})
    assert (find(place).tags, find(place).metadata) == (("a", "c"), {"camera": 2, "who": "me"})
    assert find(place, IDS[1]).tags == ("a", "b")
    assert client.post("/acme/search/v1", json={"query": "metadata:who=me tag:c"}).json()["total"] == 1


def test_an_empty_change_changes_nothing(place: Place, client: TestClient) -> None:
    assert client.post(f"/acme/images/{IDS[0]}/metadata", json={}).status_code == 200
    assert (find(place).tags, find(place).metadata) == (("a", "b"), {"camera": 1, "old": True})


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"x": None}},
        {"metadata": {"x": [1]}},
        {"metadata": {"x": {"y": 1}}},
        {"metadata": {"": 1}},
        {"metadata": {"x": "y" * 1001}},
        {"metadata": {"x": 1e300}},
        {"metadata": {"x": "\0"}},
        {"addTags": ["t" * 101]},
        {"addTags": [f"t{i}" for i in range(99)]},
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused_and_nothing_is_lost(place: Place, client: TestClient, body: Any) -> None:
    reply = client.post(f"/acme/images/{IDS[0]}/metadata", json=body)
    assert reply.status_code == 400, reply.text
    assert (find(place).tags, find(place).metadata) == (("a", "b"), {"camera": 1, "old": True})


@pytest.mark.parametrize("body", [{"addTags": "c"}, {"metadata": []}, {"removeTags": [5]}, [], "x"], ids=str)
def test_a_change_of_another_form_is_refused(client: TestClient, body: Any) -> None:
    assert client.post(f"/acme/images/{IDS[0]}/metadata", json=body).status_code == 422


def test_changes_at_the_same_time_are_all_kept(place: Place, client: TestClient) -> None:
    def add(i: int) -> int:
        return client.post(f"/acme/images/{IDS[0]}/metadata", json={"addTags": [f"t{i}"]}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(24))) == {200}
    assert {f"t{i}" for i in range(24)} <= set(find(place).tags)


def test_many_pictures_are_changed_by_a_worker(place: Place, client: TestClient) -> None:
    updates = [{"imageId": one, "addTags": ["new"], "metadata": {"camera": 9}} for one in IDS]
    updates += [{"imageId": "none", "addTags": ["new"]}, {"imageId": IDS[0], "metadata": {"x": []}}]
    reply = client.post("/acme/images/metadata", json={"updates": updates})
    assert reply.status_code == 202
    task = reply.json()
    path = urlsplit(task["url"]).path
    assert task["url"].startswith("http://testserver/acme/asynctasks/")
    assert client.get(path).json() == {"taskId": task["taskId"], "status": "queued", "progress": {}}
    assert "new" not in find(place).tags
    work(place)
    told = client.get(path).json()
    assert (told["status"], told["result"]["succeeded"], told["result"]["failed"]) == ("completed", 3, 2)
    assert [item["imageId"] for item in told["result"]["failedItems"]] == ["none", IDS[0]]
    assert all("new" in find(place, one).tags and find(place, one).metadata["camera"] == 9 for one in IDS)


def test_a_job_that_is_done_again_changes_nothing_more(place: Place, client: TestClient) -> None:
    updates = [{"imageId": IDS[0], "addTags": ["new"], "removeTags": ["a"], "removeMetadata": ["old"]}]
    client.post("/acme/images/metadata", json={"updates": updates})
    job = place.ports.queue.claim_job("w", [JobKind.METADATA], NOON, later(60))
    assert job is not None
    for _ in range(2):
        assert change_metadata(place.ports, job, place.folder / "job", SilentWatch())["failed"] == 0
    assert (find(place).tags, find(place).metadata) == (("b", "new"), {"camera": 1})


def test_a_job_ends_when_a_person_wishes_so(place: Place, client: TestClient) -> None:
    class Impatient(SilentWatch):
        def wish(self) -> Wish | None:
            return Wish.CANCEL if "new" in find(place).tags else None

    updates = [{"imageId": one, "addTags": ["new"]} for one in IDS]
    client.post("/acme/images/metadata", json={"updates": updates})
    with pytest.raises(StoppedError, match="1 of 3"):
        work(place, Impatient())
    assert "new" not in find(place, IDS[1]).tags


@pytest.mark.parametrize(
    "body", [{"updates": []}, {}, {"updates": [{"addTags": ["x"]}]}, {"updates": [{"imageId": "x"}] * 1001}]
)
def test_a_bulk_change_of_another_form_is_refused(place: Place, client: TestClient, body: Any) -> None:
    assert client.post("/acme/images/metadata", json=body).status_code == 422
    assert place.ports.queue.list_jobs() == []


def test_tasks_and_pictures_of_others_are_not_found(place: Place, client: TestClient) -> None:
    _, other = create_key(place.ports, "other", "tests")
    updates = [{"imageId": IDS[0], "addTags": ["stolen"]}]
    theirs = place.client(key=other)
    assert theirs.post(f"/other/images/{IDS[0]}/metadata", json=updates[0]).status_code == 404
    assert theirs.post("/other/images/metadata", json={"updates": updates}).status_code == 202
    assert work(place)["failed"] == 1
    assert find(place).tags == ("a", "b")
    task_id = client.post("/acme/images/metadata", json={"updates": updates}).json()["taskId"]
    assert theirs.get(f"/other/asynctasks/{task_id}").status_code == 404
    assert client.get("/acme/asynctasks/none").status_code == 404


def test_changing_needs_the_scope_manage(place: Place) -> None:
    _, secret = create_key(place.ports, "acme", "tests", scope=Scope.READ)
    client = place.client(key=secret)
    assert client.post(f"/acme/images/{IDS[0]}/metadata", json={}).status_code == 403
    assert client.post("/acme/images/metadata", json={"updates": [{"imageId": "x"}]}).status_code == 403
    assert client.get("/acme/asynctasks/none").status_code == 404
