"""Who may have which deployment, for how long; a host is played through the port."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.ports import add_training, fake_ports

from atrous.core.errors import ConflictError, InvalidInputError, NotFoundError
from atrous.workspace.deployment import (
    DeploymentReport,
    DeploymentState,
    DeploymentWish,
    LogEntry,
    UsageHour,
)
from atrous.workspace.deployments import (
    DeploymentOrder,
    change_models,
    create_deployment,
    delete_deployment,
    find_deployment,
    find_room,
    list_log,
    list_use,
    pause_deployment,
    resume_deployment,
)
from atrous.workspace.machine_types import GIB, Fleet, Machine, MachineType
from atrous.workspace.records import Model

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.deployment import Deployment
    from atrous.workspace.ports import Ports

TYPES = {name: MachineType(name, "", threads, GIB) for name, threads in {"small": 1, "large": 3, "huge": 9}.items()}
FLEET = Fleet(TYPES, Machine(4, 8 * GIB, 0))
RUN, PAUSE, EXPIRE, DELETE = DeploymentWish
PENDING, READY, PAUSED, EXPIRED, FAILED = DeploymentState
ORDER = DeploymentOrder("road-cam", "small", creator_email="a@example.org")


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    """The workspaces `acme`, with the models `road/1` and `acme/road-2-a`, and `other`."""
    made = fake_ports(tmp_path)
    made.store.add_workspace("acme")
    made.store.add_workspace("other")
    add_training(made)
    for version in (1, 2):
        made.store.add_model(Model("acme", f"road-{version}-a", "road", version, "t1", made.clock.now()))
    return made


def create(ports: Ports, workspace: str = "acme", **changes: Any) -> Deployment:
    return create_deployment(ports, FLEET, workspace, replace(ORDER, **changes))


def play_host(ports: Ports, state: DeploymentState, *, hold: bool = True) -> None:
    """Take everything, and tell that it is so."""
    now = ports.clock.now()
    until = now + timedelta(hours=1)
    for one in ports.store.claim_deployments("host", list(TYPES), now, until):
        address = "http://127.0.0.1:40123" if state is READY else ""
        report = DeploymentReport(state, address=address)
        ports.store.report_deployment(one.name, "host", report, now, until if hold else None)


def test_a_deployment_is_pending_until_a_host_starts_it(ports: Ports) -> None:
    made = create(ports, duration_hours=1.5, models=("road/1", "acme/road-2-a", "road/1"))
    assert (made.state, made.wish, made.workspace) == (PENDING, RUN, "acme")
    assert made.models == ("road/1", "acme/road-2-a")
    assert made.expires == made.created + timedelta(hours=1.5)
    assert find_deployment(ports, "acme", "road-cam") == made
    assert create(ports, name="sea-cam").expires is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "cam1"}, "use 5 to 15"),
        ({"name": "a" * 16}, "use 5 to 15"),
        ({"name": "1road-cam"}, "a letter first"),
        ({"name": "Road-cam"}, "lower-case"),
        ({"name": "road_cam"}, "lower-case"),
        ({"name": "road-cam\n"}, "lower-case"),
        ({"duration_hours": 0}, "duration of 0 hours"),
        ({"duration_hours": -1.0}, "duration of -1 hours"),
        ({"duration_hours": float("nan")}, "duration of nan hours"),
        ({"duration_hours": float("inf")}, "duration of inf hours"),
        ({"creator_email": "nobody"}, "'nobody': is no address of email"),
        ({"inference_version": "a b"}, "'a b': is no version"),
        ({"models": ("road",)}, "model id 'road'"),
        ({"models": ("road/1",) * 65}, "65 models"),
        ({"machine_type": "huge"}, "needs 9 threads, of which 4 are free even if nothing else runs"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_and_not_made(ports: Ports, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        create(ports, **changes)
    assert ports.store.list_deployments() == []


def test_models_and_machine_types_that_are_not_there_are_refused(ports: Ports) -> None:
    with pytest.raises(NotFoundError, match="'road/7'"):
        create(ports, models=("road/7",))
    with pytest.raises(NotFoundError, match="'road/1'"):
        create(ports, "other", models=("road/1",))
    with pytest.raises(NotFoundError, match="choose of small, large, huge"):
        create(ports, machine_type="medium")


def test_a_name_is_taken_for_all_workspaces(ports: Ports) -> None:
    create(ports)
    with pytest.raises(ConflictError, match="'road-cam': this name is taken"):
        create(ports, "other")


def test_what_does_not_fit_beside_the_others_is_refused_until_there_is_room(ports: Ports) -> None:
    create(ports, machine_type="large")
    create(ports, name="sea-cam")
    assert find_room(ports, FLEET) == Machine(0, 6 * GIB, 0)
    with pytest.raises(ConflictError, match="'sky-cam': needs 1 threads, of which 0 are free; pause or delete another"):
        create(ports, "other", name="sky-cam")
    pause_deployment(ports, "acme", "sea-cam")
    assert create(ports, "other", name="sky-cam").state is PENDING
    with pytest.raises(ConflictError, match="'sea-cam': needs 1 threads"):
        resume_deployment(ports, FLEET, "acme", "sea-cam")


def test_what_is_being_paused_takes_room_until_its_process_has_ended(ports: Ports) -> None:
    create(ports, machine_type="large")
    play_host(ports, READY)
    pause_deployment(ports, "acme", "road-cam")
    with pytest.raises(ConflictError, match="needs 3 threads, of which 1 are free"):
        create(ports, name="sea-cam", machine_type="large")
    play_host(ports, PAUSED)
    create(ports, name="sea-cam", machine_type="large")


def test_what_is_over_takes_no_room(ports: Ports) -> None:
    # The clock of the tests moves on by a second at a time.
    create(ports, machine_type="large", duration_hours=0.0001)
    create(ports, name="sea-cam", machine_type="large")


def test_a_paused_deployment_is_resumed(ports: Ports) -> None:
    create(ports)
    play_host(ports, READY)
    assert pause_deployment(ports, "acme", "road-cam").wish is PAUSE
    play_host(ports, PAUSED, hold=False)
    resumed = resume_deployment(ports, FLEET, "acme", "road-cam")
    assert (resumed.wish, resumed.state, resumed.revision) == (RUN, PENDING, 2)


def test_what_runs_may_be_resumed_too(ports: Ports) -> None:
    create(ports)
    play_host(ports, READY)
    before = find_deployment(ports, "acme", "road-cam")
    assert resume_deployment(ports, FLEET, "acme", "road-cam") == before


def test_what_is_over_is_resumed_with_a_new_duration_alone(ports: Ports) -> None:
    create(ports, duration_hours=0.0001, delete_on_expiration=False)
    for change in (pause_deployment, lambda *where: resume_deployment(ports, FLEET, *where[1:])):
        with pytest.raises(ConflictError, match="its time is over"):
            change(ports, "acme", "road-cam")
    play_host(ports, EXPIRED, hold=False)
    resumed = resume_deployment(ports, FLEET, "acme", "road-cam", duration_hours=2)
    assert (resumed.wish, resumed.state) == (RUN, PENDING)
    assert resumed.expires is not None
    assert resumed.expires > ports.clock.now() + timedelta(hours=1.9)
    with pytest.raises(InvalidInputError, match="duration"):
        resume_deployment(ports, FLEET, "acme", "road-cam", duration_hours=-1)


def test_other_models_are_a_new_revision(ports: Ports) -> None:
    create(ports, models=("road/1",))
    changed = change_models(ports, "acme", "road-cam", ["road/2", "road/1", "road/2"])
    assert (changed.models, changed.revision) == (("road/2", "road/1"), 2)
    with pytest.raises(NotFoundError, match="'road/9'"):
        change_models(ports, "acme", "road-cam", ["road/9"])


def test_what_nobody_holds_is_deleted_at_once(ports: Ports) -> None:
    create(ports)
    delete_deployment(ports, "acme", "road-cam")
    assert ports.store.list_deployments() == []
    create(ports, "other")


def test_what_a_host_holds_is_deleted_by_that_host(ports: Ports) -> None:
    create(ports)
    play_host(ports, READY)
    delete_deployment(ports, "acme", "road-cam")
    delete_deployment(ports, "acme", "road-cam")
    assert find_deployment(ports, "acme", "road-cam").wish is DELETE
    for change in (pause_deployment, lambda *where: resume_deployment(ports, FLEET, *where[1:])):
        with pytest.raises(ConflictError, match="is being deleted"):
            change(ports, "acme", "road-cam")
    with pytest.raises(ConflictError, match="is being deleted"):
        change_models(ports, "acme", "road-cam", ["road/1"])


def test_what_a_dead_host_held_is_deleted_at_once(ports: Ports) -> None:
    create(ports)
    now = ports.clock.now()
    ports.store.claim_deployments("host", ["small"], now, now + timedelta(seconds=0.5))
    delete_deployment(ports, "acme", "road-cam")
    assert ports.store.list_deployments() == []


def test_a_deployment_of_another_workspace_does_not_exist(ports: Ports) -> None:
    made = create(ports)
    for ask in (find_deployment, pause_deployment, delete_deployment):
        with pytest.raises(NotFoundError, match="'road-cam': not found"):
            ask(ports, "other", "road-cam")
    with pytest.raises(NotFoundError, match="not found"):
        resume_deployment(ports, FLEET, "other", "road-cam")
    with pytest.raises(NotFoundError, match="not found"):
        change_models(ports, "other", "road-cam", [])
    now = ports.clock.now()
    with pytest.raises(NotFoundError, match="not found"):
        list_log(ports, "other", "road-cam", since=made.created, until=now, limit=9)
    with pytest.raises(NotFoundError, match="not found"):
        list_use(ports, "other", since=made.created, until=now, name="road-cam")
    assert find_deployment(ports, "acme", "road-cam") == made


def test_its_log_is_told_newest_first(ports: Ports) -> None:
    made = create(ports)
    entries = [LogEntry(f"{second}", made.created + timedelta(seconds=second), f"{second}") for second in range(4)]
    ports.store.add_log_entries("road-cam", entries, keep=9)
    until = made.created + timedelta(seconds=2)
    told = list_log(ports, "acme", "road-cam", since=made.created, until=until, limit=2)
    assert [entry.payload for entry in told] == ["2", "1"]
    with pytest.raises(InvalidInputError, match="0 lines of the log"):
        list_log(ports, "acme", "road-cam", since=made.created, until=until, limit=0)


def test_use_is_told_by_whole_hours_also_of_what_is_deleted(ports: Ports) -> None:
    start = ports.clock.now().replace(minute=0, second=0)
    hours = [
        UsageHour("acme", name, "road/1", "k1", start + timedelta(hours=number), 1, 2, 0.5)
        for number, name in enumerate(["", "gone-cam", "gone-cam"])
    ]
    ports.store.add_usage(hours)
    half = timedelta(minutes=30)
    assert list_use(ports, "acme", since=start + half, until=start + 3 * half) == hours[:2]
    assert list_use(ports, "acme", since=start, until=start + 9 * half, name="gone-cam") == hours[1:]
    assert list_use(ports, "other", since=start, until=start + 9 * half) == []
    with pytest.raises(NotFoundError, match="'sea-cam'"):
        list_use(ports, "acme", since=start, until=start + half, name="sea-cam")
    with pytest.raises(InvalidInputError, match="ends before it begins"):
        list_use(ports, "acme", since=start, until=start)
