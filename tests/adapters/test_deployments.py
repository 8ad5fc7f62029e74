"""What hosts and people ask of a store of deployments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.adapters.rows import NOON, later
from tests.fakes.ports import open_new_sqlite
from tests.fakes.postgres import open_postgres_for_test

from atrous.core.errors import ConflictError
from atrous.workspace.deployment import (
    Deployment,
    DeploymentReport,
    DeploymentState,
    DeploymentWish,
    LogEntry,
    UsageHour,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.workspace.ports import Store

TYPES = ("dev-cpu",)
LEASE_S = 10
RUN, PAUSE, EXPIRE, DELETE = DeploymentWish
PENDING, READY, PAUSED, EXPIRED, FAILED = DeploymentState


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with the workspaces `acme` and `other`."""
    opened = open_new_sqlite(tmp_path) if request.param == "sqlite" else open_postgres_for_test()
    opened.add_workspace("acme")
    opened.add_workspace("other")
    yield opened
    opened._engine.dispose()


def add(store: Store, name: str = "road-cam", workspace: str = "acme", **changes: Any) -> Deployment:
    deployment = replace(Deployment(name, workspace, "dev-cpu", "a@b.c", NOON, ("road/1",)), **changes)
    store.add_deployment(deployment)
    return deployment


def claim(store: Store, owner: str = "first", at_s: int = 0) -> list[str]:
    return [one.name for one in store.claim_deployments(owner, TYPES, later(at_s), later(at_s + LEASE_S))]


def tell(store: Store, state: DeploymentState, *, at_s: int = 1, owner: str = "first", hold: bool = True) -> None:
    report = DeploymentReport(state, "why", "http://127.0.0.1:40123" if state is READY else "", 1, 2)
    store.report_deployment("road-cam", owner, report, later(at_s), later(at_s + LEASE_S) if hold else None)


def find(store: Store, name: str = "road-cam") -> Deployment:
    found = store.find_deployment(name)
    assert found is not None
    return found


def order(store: Store, **changes: Any) -> Deployment:
    ordered = store.order_deployment("road-cam", **changes)
    assert ordered is not None
    return ordered


# What people say


def test_a_deployment_comes_back_as_it_was_added(store: Store) -> None:
    added = add(store, expires=later(3600), delete_on_expiration=False, changed=later(1), leased_until=later(2))
    assert find(store) == added
    assert store.find_deployment("sea-cam") is None


def test_deployments_are_listed_by_workspace_oldest_first(store: Store) -> None:
    first, second, theirs = add(store, "zz-cam"), add(store, "aa-cam"), add(store, "mm-cam", "other")
    assert store.list_deployments("acme") == [first, second]
    assert store.list_deployments() == [first, second, theirs]


def test_a_name_is_taken_in_every_workspace(store: Store) -> None:
    added = add(store)
    with pytest.raises(ConflictError, match="road-cam"):
        add(store, workspace="other")
    assert store.list_deployments() == [added]


def test_what_is_not_said_stays(store: Store) -> None:
    added = add(store)
    assert order(store) == added
    assert order(store, expires=later(60)) == replace(added, expires=later(60))
    assert order(store, wish=PAUSE) == replace(added, expires=later(60), wish=PAUSE)
    assert store.order_deployment("sea-cam", wish=PAUSE) is None


def test_the_revision_grows_when_other_models_are_ordered(store: Store) -> None:
    add(store, state=READY, message="was started again")
    assert order(store, models=["road/1"]).revision == 1
    changed = order(store, models=["road/2", "road/1"])
    assert (changed.revision, changed.models, changed.message) == (2, ("road/2", "road/1"), "")
    assert changed.state is READY


@pytest.mark.parametrize("state", [PAUSED, EXPIRED, FAILED])
def test_what_is_stopped_is_pending_anew_once_it_is_ordered_to_run(store: Store, state: DeploymentState) -> None:
    add(store, wish=PAUSE, state=state, message="why", restarts=7)
    ordered = order(store, wish=RUN)
    assert (ordered.state, ordered.message, ordered.restarts, ordered.revision) == (PENDING, "", 0, 2)


def test_what_runs_is_left_alone_when_it_is_ordered_to_run(store: Store) -> None:
    added = add(store, state=READY, restarts=7)
    assert order(store, wish=RUN) == added


def test_what_failed_is_pending_anew_once_other_models_are_ordered(store: Store) -> None:
    add(store, state=FAILED, message="no such model")
    ordered = order(store, models=["road/2"])
    assert (ordered.state, ordered.message, ordered.revision) == (PENDING, "", 2)


def test_who_wanted_it_deleted_is_not_overruled(store: Store) -> None:
    add(store)
    deleted = order(store, wish=DELETE)
    assert order(store, wish=RUN, models=["road/2"], expires=later(9)) == deleted


# What hosts do


def test_a_host_takes_what_nobody_holds_and_keeps_it_as_long_as_it_asks(store: Store) -> None:
    add(store, "zz-cam")
    add(store, "aa-cam")
    assert claim(store) == ["zz-cam", "aa-cam"]
    assert claim(store, "second", at_s=5) == []
    assert claim(store, at_s=8) == ["zz-cam", "aa-cam"]
    assert claim(store, "second", at_s=15) == []
    assert (find(store, "zz-cam").owner, find(store, "zz-cam").leased_until) == ("first", later(8 + LEASE_S))


def test_a_host_takes_only_the_machine_types_that_it_has(store: Store) -> None:
    add(store, machine_type="prod-gpu")
    assert claim(store) == []
    assert store.claim_deployments("first", ("prod-gpu", "dev-cpu"), NOON, later(9)) != []
    assert store.claim_deployments("second", (), later(99), later(100)) == []


def test_a_host_takes_no_more_than_it_asks_for_beside_what_it_holds(store: Store) -> None:
    for name in ("zz-cam", "mm-cam", "aa-cam"):
        add(store, name)
    taken = [store.claim_deployments("first", TYPES, NOON, later(LEASE_S), limit=1) for _ in range(2)]
    assert [[one.name for one in rows] for rows in taken] == [["zz-cam"], ["zz-cam", "mm-cam"]]
    assert claim(store, "second") == ["aa-cam"]


def test_a_host_whose_lease_has_run_out_is_told_that_another_one_holds_it(store: Store) -> None:
    add(store)
    claim(store)
    assert claim(store, "second", at_s=LEASE_S + 1) == ["road-cam"]
    held = find(store)
    for late in (lambda: tell(store, READY, at_s=30), lambda: store.remove_deployment("road-cam", "first")):
        with pytest.raises(ConflictError, match="road-cam"):
            late()
    assert claim(store, at_s=LEASE_S + 2) == []
    assert find(store) == held


def test_many_hosts_at_once_hold_each_deployment_once(store: Store) -> None:
    names = {f"cam-{number}" for number in range(12)}
    for name in names:
        add(store, name)
    with ThreadPoolExecutor(4) as pool:
        held = list(pool.map(lambda host: claim(store, f"host-{host}"), range(4)))
    held += [claim(store, f"host-{host}", at_s=1) for host in range(4)]
    owners = {name: {host % 4 for host, mine in enumerate(held) if name in mine} for name in names}
    assert all(len(hosts) == 1 for hosts in owners.values())


def test_a_report_is_told_and_the_lease_renewed(store: Store) -> None:
    added = add(store)
    claim(store)
    tell(store, READY)
    ready = find(store)
    assert ready == replace(
        added,
        state=READY,
        message="why",
        address="http://127.0.0.1:40123",
        served_revision=1,
        restarts=2,
        owner="first",
        leased_until=later(1 + LEASE_S),
        changed=later(1),
    )
    tell(store, READY, at_s=5)
    assert (find(store).changed, find(store).leased_until) == (later(1), later(5 + LEASE_S))


def test_what_a_host_gives_up_is_taken_by_another_at_once(store: Store) -> None:
    add(store)
    claim(store)
    tell(store, PENDING, hold=False)
    assert claim(store, "second", at_s=2) == ["road-cam"]


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({"wish": RUN, "state": FAILED}, True),
        ({"wish": PAUSE, "state": READY}, True),
        ({"wish": PAUSE, "state": PAUSED}, False),
        ({"wish": PAUSE, "state": PAUSED, "expires": later(-1)}, True),
        ({"wish": PAUSE, "state": PAUSED, "expires": later(60)}, False),
        ({"wish": RUN, "state": EXPIRED, "expires": later(-1)}, False),
        ({"wish": RUN, "state": EXPIRED, "expires": later(60)}, True),
        ({"wish": EXPIRE, "state": EXPIRED}, False),
        ({"wish": EXPIRE, "state": READY}, True),
        ({"wish": DELETE, "state": EXPIRED, "expires": later(-1)}, True),
        ({"wish": DELETE, "state": PAUSED}, True),
    ],
)
def test_only_what_needs_a_host_is_taken(store: Store, changes: dict[str, Any], is_taken: bool) -> None:
    add(store, **changes)
    assert claim(store) == (["road-cam"] if is_taken else [])


def test_a_host_removes_what_it_holds_with_its_log(store: Store) -> None:
    add(store)
    claim(store)
    store.add_log_entries("road-cam", make_entries(3), keep=9)
    store.add_usage([make_hour(deployment="road-cam")])
    store.remove_deployment("road-cam", "first")
    store.add_log_entries("road-cam", make_entries(3), keep=9)
    assert store.find_deployment("road-cam") is None
    add(store)
    assert list_lines(store) == []
    assert store.list_usage("acme", NOON, later(1)) == [make_hour(deployment="road-cam")]


# Logs


def make_entries(count: int, first: int = 0) -> list[LogEntry]:
    return [LogEntry(f"{one:09d}", later(one), f"Zeile {one}") for one in range(first, first + count)]


def list_lines(store: Store, since_s: int = 0, until_s: int = 99, limit: int = 99) -> list[str]:
    entries = store.list_log_entries("road-cam", later(since_s), later(until_s), limit)
    return [entry.payload for entry in entries]


def test_lines_are_listed_newest_first(store: Store) -> None:
    add(store)
    store.add_log_entries("road-cam", make_entries(5), keep=9)
    assert store.list_log_entries("road-cam", NOON, later(99), 9) == make_entries(5)[::-1]
    assert list_lines(store, 1, 3) == ["Zeile 3", "Zeile 2", "Zeile 1"]
    assert list_lines(store, limit=2) == ["Zeile 4", "Zeile 3"]


def test_the_oldest_lines_are_forgotten(store: Store) -> None:
    add(store)
    add(store, "sea-cam")
    store.add_log_entries("sea-cam", make_entries(2), keep=2)
    store.add_log_entries("road-cam", make_entries(3), keep=3)
    store.add_log_entries("road-cam", make_entries(1, first=3), keep=3)
    assert list_lines(store) == ["Zeile 3", "Zeile 2", "Zeile 1"]
    assert len(store.list_log_entries("sea-cam", NOON, later(99), 9)) == 2


def test_a_line_that_comes_twice_is_kept_once(store: Store) -> None:
    add(store)
    store.add_log_entries("road-cam", make_entries(2), keep=9)
    store.add_log_entries("road-cam", make_entries(3), keep=9)
    assert list_lines(store) == ["Zeile 2", "Zeile 1", "Zeile 0"]


# Use


def make_hour(hours_later: int = 0, **changes: Any) -> UsageHour:
    hour = UsageHour("acme", "", "road/1", "k1", later(3600 * hours_later), requests=2, pictures=3, compute_s=0.5)
    return replace(hour, **changes)


def test_use_adds_up_by_hour_model_key_and_deployment(store: Store) -> None:
    others = [make_hour(deployment="road-cam"), make_hour(key_id="k2"), make_hour(model="road/2"), make_hour(1)]
    store.add_usage([make_hour(), *others])
    store.add_usage([make_hour(requests=1, pictures=1, compute_s=0.25)])
    store.add_usage([])
    kept = store.list_usage("acme", NOON, later(9999))
    assert len(kept) == 5
    assert replace(make_hour(), requests=3, pictures=4, compute_s=0.75) in kept
    assert all(one in kept for one in others)


def test_use_is_listed_by_workspace_hour_and_deployment_oldest_first(store: Store) -> None:
    theirs, named = make_hour(workspace="other"), make_hour(2, deployment="road-cam")
    store.add_usage([named, make_hour(1), make_hour(), theirs])
    assert store.list_usage("acme", NOON, later(7200)) == [make_hour(), make_hour(1)]
    assert store.list_usage("acme", later(1), later(9999), "road-cam") == [named]
    assert store.list_usage("acme", NOON, later(9999), "") == [make_hour(), make_hour(1)]


def test_many_at_once_lose_no_use(store: Store) -> None:
    hours = [make_hour(model=f"road/{number}") for number in range(5)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda turn: store.add_usage(hours if turn % 2 else hours[::-1]), range(12)))
    assert [one.requests for one in store.list_usage("acme", NOON, later(1))] == [24] * 5
