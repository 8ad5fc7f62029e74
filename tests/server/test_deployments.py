"""Dedicated deployments over HTTP; the host that keeps them is played through the store."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from atrous.server.app import create_app
from atrous.server.settings import Settings
from atrous.workspace.deployment import DeploymentReport, DeploymentState, LogEntry, UsageHour
from atrous.workspace.keys import create_key
from atrous.workspace.machine_types import GIB, Fleet, Machine, MachineType
from atrous.workspace.records import Scope

if TYPE_CHECKING:
    from tests.server.place import Place

FLEET = Fleet(
    {
        "dev-cpu": MachineType("dev-cpu", "for trying things", 1, 2 * GIB),
        "prod-gpu": MachineType("prod-gpu", "", 2, GIB, 1),
    },
    Machine(2, 8 * GIB, 1),
)
NEW = {"deployment_name": "road-cam", "machine_type": "dev-cpu", "creator_email": "me@example.org", "duration": 3.0}
NAMED = {"deployment_name": "road-cam"}
TOKYO = timezone(timedelta(hours=9))


@pytest.fixture
def client(place: Place) -> TestClient:
    """A server that clients reach as `http://gpu.example:9001`; keys go in bodies and queries."""
    return make_client(place)


def make_client(place: Place, **settings: Any) -> TestClient:
    app = create_app(Settings(**settings), place.ports, fleet=FLEET)
    return TestClient(app, base_url="http://gpu.example:9001")


def post(client: TestClient, place: Place, path: str, body: dict[str, Any], status: int = 200) -> Any:
    reply = client.post(f"/dedicated/{path}", json={"api_key": place.key, **body})
    assert reply.status_code == status, reply.text
    return reply.json()


def get(client: TestClient, place: Place, path: str, status: int = 200, **query: Any) -> Any:
    reply = client.get(f"/dedicated/{path}", params={"api_key": place.key, **query})
    assert reply.status_code == status, reply.text
    return reply.json()


def play_host(place: Place, state: DeploymentState, message: str = "") -> None:
    now = place.ports.clock.now()
    until = now + timedelta(hours=1)
    address = "http://127.0.0.1:40123" if state is DeploymentState.READY else ""
    for one in place.ports.store.claim_deployments("host", list(FLEET.types), now, until):
        report = DeploymentReport(state, message, address, one.revision)
        place.ports.store.report_deployment(one.name, "host", report, now, until)


def test_machine_types_are_told_with_what_they_give(client: TestClient, place: Place) -> None:
    assert get(client, place, "machine_types")["machine_types"] == [
        {
            "name": "dev-cpu",
            "description": "1 thread, 2.0 GiB of memory; for trying things",
            "threads": 1,
            "memory_bytes": 2 * GIB,
            "gpus": 0,
        },
        {
            "name": "prod-gpu",
            "description": "2 threads, 1.0 GiB of memory, 1 GPU",
            "threads": 2,
            "memory_bytes": GIB,
            "gpus": 1,
        },
    ]


def test_a_deployment_is_made_pending_and_told_with_its_address(client: TestClient, place: Place) -> None:
    place.publish()
    made = post(client, place, "add", {**NEW, "models": ["road/1"], "inference_version": "0.45.0"})
    created = datetime.fromisoformat(made["creation_timestamp"])
    assert datetime.fromisoformat(made["expiration_timestamp"]) == created + timedelta(hours=3)
    expected = {
        "deployment_name": "road-cam",
        "status": "pending",
        "machine_type": "dev-cpu",
        "creator_email": "me@example.org",
        "duration": 3.0,
        "delete_on_expiration": True,
        "inference_version": "0.45.0",
        "deployment_url": "http://gpu.example:9001/deployments/road-cam",
        "domain": "gpu.example:9001/deployments/road-cam",
        "subdomain": "road-cam",
        "num_replicas": 0,
        "models": ["road/1"],
        "workspace_url": "acme",
    }
    assert {name: made[name] for name in expected} == expected
    assert get(client, place, "get", **NAMED) == made
    assert get(client, place, "list") == {"deployments": [made]}


def test_a_deployment_lives_three_hours_unless_said_and_for_ever_if_null(client: TestClient, place: Place) -> None:
    plain = {"deployment_name": "road-cam", "machine_type": "dev-cpu"}
    assert post(client, place, "add", plain)["duration"] == 3
    endless = post(client, place, "add", {**plain, "deployment_name": "sea-cam", "duration": None})
    assert (endless["duration"], endless["expiration_timestamp"]) == (None, None)


def test_the_address_is_that_by_which_the_caller_came(place: Place) -> None:
    client = make_client(place, deployments_domain="dep.example.org")
    assert post(client, place, "add", NEW)["deployment_url"] == "http://road-cam.dep.example.org:9001"
    client = make_client(place)
    behind = {"x-forwarded-proto": "https", "x-forwarded-host": "example.org", "x-forwarded-prefix": "/atrous"}
    reply = client.get("/dedicated/get", params={"api_key": place.key, **NAMED}, headers=behind)
    assert reply.json()["deployment_url"] == "https://example.org/atrous/deployments/road-cam"
    assert reply.json()["domain"] == "example.org/atrous/deployments/road-cam"


def test_a_life_from_pending_to_gone(client: TestClient, place: Place) -> None:
    def find_status() -> str:
        return get(client, place, "get", **NAMED)["status"]

    post(client, place, "add", NEW)
    play_host(place, DeploymentState.READY)
    ready = get(client, place, "get", **NAMED)
    assert (ready["status"], ready["num_replicas"]) == ("ready", 1)
    post(client, place, "pause", NAMED)
    play_host(place, DeploymentState.PAUSED)
    assert find_status() == "paused"
    assert post(client, place, "resume", NAMED)["status"] == "pending"
    play_host(place, DeploymentState.FAILED, "model 'road/1': its folder is gone")
    failed = get(client, place, "get", **NAMED)
    assert (failed["status"], failed["message"]) == ("failed", "model 'road/1': its folder is gone")
    assert post(client, place, "delete", NAMED)["status"] == "deleting"
    assert find_status() == "deleting"
    place.ports.store.remove_deployment("road-cam", "host")
    assert "'road-cam': not found" in get(client, place, "get", 404, **NAMED)["message"]
    assert get(client, place, "list") == {"deployments": []}


def test_models_are_changed(client: TestClient, place: Place) -> None:
    place.publish()
    post(client, place, "add", NEW)
    changed = post(client, place, "update", {**NAMED, "models": ["road/1"]})
    assert (changed["models"], changed["revision"], changed["served_revision"]) == (["road/1"], 2, 0)


def test_what_expired_is_resumed_with_a_new_duration(client: TestClient, place: Place) -> None:
    post(client, place, "add", {**NEW, "duration": 0.0001, "delete_on_expiration": False})
    play_host(place, DeploymentState.EXPIRED)
    assert get(client, place, "get", **NAMED)["status"] == "expired"
    assert "its time is over" in post(client, place, "resume", NAMED, 409)["message"]
    assert post(client, place, "resume", {**NAMED, "duration": 2})["status"] == "pending"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"deployment_name": "Road"}, 400, "deployment name 'Road'"),
        ({"deployment_name": None}, 422, "deployment_name"),
        ({"deployment_name": "x" * 1000}, 422, "deployment_name"),
        ({"machine_type": "gpu-small"}, 404, "machine type 'gpu-small': does not exist; choose of dev-cpu, prod-gpu"),
        ({"duration": -3}, 400, "duration of -3 hours"),
        ({"duration": 1e300}, 400, "duration of 1e+300 hours"),
        ({"duration": "long"}, 422, "duration"),
        ({"creator_email": "me"}, 400, "creator_email 'me'"),
        ({"models": ["road/1"]}, 404, "model 'road/1'"),
        ({"models": "road/1"}, 422, "models"),
        ({"models": ["road/1"] * 2000}, 422, "models"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_a_sentence(
    client: TestClient, place: Place, changes: dict[str, Any], status: int, said: str
) -> None:
    reply = post(client, place, "add", {**NEW, **changes}, status)
    assert said in reply["message"]
    assert reply["error"]["message"] == reply["message"]
    assert get(client, place, "list") == {"deployments": []}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff"], ids=repr)
def test_a_body_that_is_none_is_refused(client: TestClient, body: bytes) -> None:
    for verb in ("add", "pause", "resume", "update", "delete"):
        assert client.post(f"/dedicated/{verb}", content=body).status_code == 422


def test_a_name_is_given_once_and_room_only_to_whom_it_lasts(client: TestClient, place: Place) -> None:
    post(client, place, "add", NEW)
    assert "this name is taken" in post(client, place, "add", NEW, 409)["message"]
    large = {**NEW, "deployment_name": "sea-cam", "machine_type": "prod-gpu"}
    assert "needs 2 threads, of which 1 are free" in post(client, place, "add", large, 409)["message"]


@pytest.mark.parametrize("key", [None, "wrong-key"])
def test_nothing_is_told_or_done_without_a_key(client: TestClient, place: Place, key: str | None) -> None:
    post(client, place, "add", NEW)
    for verb in ("machine_types", "list", "get", "get_log", "usage_workspace", "usage_deployment"):
        query = {**NAMED, **({"api_key": key} if key else {})}
        assert client.get(f"/dedicated/{verb}", params=query).status_code == 401
    for verb in ("add", "pause", "resume", "delete"):
        reply = client.post(f"/dedicated/{verb}", json={**NEW, "api_key": key})
        assert reply.status_code == 401
    assert get(client, place, "get", **NAMED)["status"] == "pending"


def test_changing_needs_the_scope_manage(client: TestClient, place: Place) -> None:
    _, secret = create_key(place.ports, "acme", "tests", scope=Scope.READ)
    assert client.get("/dedicated/list", params={"api_key": secret}).status_code == 200
    assert client.post("/dedicated/add", json={**NEW, "api_key": secret}).status_code == 403


def test_a_deployment_manages_none(place: Place) -> None:
    client = make_client(place, deployment="sea-cam")
    assert "ask the server that it belongs to" in get(client, place, "list", 404)["message"]


# Logs


def add_lines(place: Place, count: int) -> datetime:
    start = place.ports.clock.now()
    entries = [
        LogEntry(f"{number:06d}", start - timedelta(seconds=count - number), f"Zeile {number}")
        for number in range(count)
    ]
    place.ports.store.add_log_entries("road-cam", entries, keep=1000)
    return start


def test_the_log_is_an_array_newest_first(client: TestClient, place: Place) -> None:
    post(client, place, "add", NEW)
    start = add_lines(place, 3)
    lines = get(client, place, "get_log", **NAMED)
    assert lines[0] == {
        "insert_id": "000002",
        "timestamp": (start - timedelta(seconds=1)).isoformat(),
        "payload": "Zeile 2",
    }
    assert [line["payload"] for line in lines] == ["Zeile 2", "Zeile 1", "Zeile 0"]


def test_the_log_is_told_for_a_time_and_up_to_a_number_of_lines(client: TestClient, place: Place) -> None:
    post(client, place, "add", NEW)
    start = add_lines(place, 100)
    assert len(get(client, place, "get_log", **NAMED)) == 50
    assert len(get(client, place, "get_log", max_entries=300, **NAMED)) == 100
    late = get(client, place, "get_log", from_timestamp=(start - timedelta(seconds=5)).isoformat(), **NAMED)
    assert [line["payload"] for line in late] == [f"Zeile {number}" for number in (99, 98, 97, 96, 95)]
    # As a client far east of us writes it, with and without its `+` escaped.
    east = (start - timedelta(seconds=98)).astimezone(TOKYO).isoformat()
    for text in (east, east.replace("+", " ")):
        early = get(client, place, "get_log", to_timestamp=text, **NAMED)
        assert [line["payload"] for line in early] == ["Zeile 2", "Zeile 1", "Zeile 0"]


@pytest.mark.parametrize(
    "query",
    [
        {"from_timestamp": "yesterday"},
        {"to_timestamp": "0001-01-01T00:00:00+14:00"},
        {"from_timestamp": "9999-12-31T23:59:59"},
        {"max_entries": 0},
        {"max_entries": 10**9},
    ],
    ids=str,
)
def test_a_time_or_number_that_cannot_be_is_refused(client: TestClient, place: Place, query: dict[str, Any]) -> None:
    post(client, place, "add", NEW)
    reply = client.get("/dedicated/get_log", params={"api_key": place.key, **NAMED, **query})
    assert reply.status_code in {400, 422}
    assert reply.json()["message"]


# Use


def add_use(place: Place) -> datetime:
    hour = place.ports.clock.now().replace(minute=0, second=0, microsecond=0)
    for name, model, start, pictures in (
        ("", "road/1", hour, 5),
        ("road-cam", "road/1", hour, 2),
        ("road-cam", "road/2", hour - timedelta(hours=2), 3),
        ("road-cam", "road/1", hour - timedelta(days=9), 100),
    ):
        place.ports.store.add_usage([UsageHour("acme", name, model, "k1", start, 1, pictures, 0.25)])
    place.ports.store.add_usage([UsageHour("other", "road-cam", "road/1", "k9", hour, 7, 7, 7)])
    return hour


def test_the_use_of_a_workspace_is_told_by_deployment_and_hour(client: TestClient, place: Place) -> None:
    hour = add_use(place)
    told = get(client, place, "usage_workspace")
    assert (told["requests"], told["pictures"], told["compute_seconds"]) == (3, 10, 0.75)
    shared, own = told["deployments"]
    assert (shared["deployment_name"], own["deployment_name"]) == ("", "road-cam")
    assert own["hours"] == [
        {
            "hour": (hour - timedelta(hours=2)).isoformat(),
            "model": "road/2",
            "key_id": "k1",
            "requests": 1,
            "pictures": 3,
            "compute_seconds": 0.25,
        },
        {
            "hour": hour.isoformat(),
            "model": "road/1",
            "key_id": "k1",
            "requests": 1,
            "pictures": 2,
            "compute_seconds": 0.25,
        },
    ]


def test_the_use_of_a_deployment_is_told_for_a_time(client: TestClient, place: Place) -> None:
    hour = add_use(place)
    long_ago = {"from_timestamp": (hour - timedelta(days=10)).isoformat(), "to_timestamp": hour.isoformat()}
    told = get(client, place, "usage_deployment", **NAMED, **long_ago)
    assert (told["deployment_name"], told["pictures"], len(told["hours"])) == ("road-cam", 103, 2)
    assert (told["from_timestamp"], told["to_timestamp"]) == (long_ago["from_timestamp"], long_ago["to_timestamp"])
    assert get(client, place, "usage_deployment", 404, deployment_name="sea-cam")["message"]
