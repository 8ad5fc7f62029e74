"""Keepers of deployments, with processes whose servers start at once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.worker.deployment_place import NAME, SMALL, DeploymentPlace, make_plan, wait_for_end
from tests.worker.place import is_alive, wait_until

from atrous.core.errors import UnavailableError
from atrous.workspace.deployment import DeploymentState, DeploymentWish
from atrous.workspace.machine_types import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atrous.workspace.deployment import Deployment
    from atrous.workspace.ports import Store

READY, PENDING, FAILED = DeploymentState.READY, DeploymentState.PENDING, DeploymentState.FAILED
PAUSED, EXPIRED = DeploymentState.PAUSED, DeploymentState.EXPIRED


class CutOffStore:
    """A store that one host cannot reach at times."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_cut_off = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def claim_deployments(self, *arguments: Any, **options: Any) -> list[Deployment]:
        if self.is_cut_off:
            raise UnavailableError("the database cannot be reached")
        return self._store.claim_deployments(*arguments, **options)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[DeploymentPlace]:
    made = DeploymentPlace(tmp_path)
    yield made
    made.end()


def test_a_deployment_becomes_ready_and_its_log_is_kept(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping():
        ready = place.wait_for(READY)
        assert ready.served_revision == 1
        assert place.ask()["models"] == ["road/1"]
        wait_until(lambda: any("road-cam: ready" in line for line in place.list_lines()))
        assert "begins with road/1" in place.list_lines()


def test_a_pause_frees_everything_and_a_resume_brings_it_back(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping():
        place.wait_for(READY)
        pid = place.ask()["pid"]
        place.order(wish=DeploymentWish.PAUSE)
        paused = place.wait_for(PAUSED)
        assert (paused.address, paused.owner, paused.served_revision) == ("", "", 0)
        assert not is_alive(pid)
        place.order(wish=DeploymentWish.RUN)
        place.wait_for(READY)
        assert place.ask()["pid"] != pid


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_deployment_whose_time_is_over_is_stopped_and_deleted_if_asked(
    place: DeploymentPlace, is_deleted: bool
) -> None:
    place.add("road/1", delete_on_expiration=is_deleted)
    with place.keeping():
        place.wait_for(READY)
        pid = place.ask()["pid"]
        place.order(expires=datetime.now(UTC) - timedelta(seconds=1))
        if is_deleted:
            wait_until(lambda: place.ports.store.find_deployment(NAME) is None)
        else:
            assert place.wait_for(EXPIRED).owner == ""
        assert not is_alive(pid)


def test_a_deletion_ends_its_process_first(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping():
        place.wait_for(READY)
        pid = place.ask()["pid"]
        place.order(wish=DeploymentWish.DELETE)
        wait_until(lambda: place.ports.store.find_deployment(NAME) is None)
        assert not is_alive(pid)


def test_a_process_that_is_killed_is_started_again_and_its_end_told(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping():
        place.wait_for(READY)
        pid = place.kill()
        again = place.wait_for(READY, restarts=1)
        assert "was ended by SIGKILL; its last line: begins with road/1" in again.message
        assert place.ask()["pid"] != pid


def test_what_cannot_run_fails_with_the_servers_own_reason_until_its_models_change(place: DeploymentPlace) -> None:
    place.add("missing")
    with place.keeping():
        failed = place.wait_for(FAILED)
        assert failed.message == "model 'missing': not found in this workspace"
        assert failed.restarts == 0
        place.order(models=["road/2"])
        assert place.wait_for(READY).message == ""
        assert place.list_lines().count("begins with missing") == 1


def test_no_request_fails_while_models_change(place: DeploymentPlace) -> None:
    place.add("road/1")
    seen: set[str] = set()
    last: list[str] = []
    is_over = threading.Event()

    def ask_again_and_again() -> None:
        while not is_over.is_set():
            seen.add(place.ask()["models"][0])
        last.append(place.ask()["models"][0])

    with place.keeping():
        place.wait_for(READY)
        clients = [threading.Thread(target=ask_again_and_again) for _ in range(2)]
        for client in clients:
            client.start()
        first = place.ask()["pid"]
        for revision in (2, 3):
            place.order(models=[f"road/{revision}"])
            place.wait_for(READY, served_revision=revision)
        wait_for_end(first)
        is_over.set()
        for client in clients:
            client.join()
    # A request that fails ends its client, which then has not seen the last models.
    assert last == ["road/3", "road/3"]
    assert seen >= {"road/1", "road/2"}


def test_a_change_that_fails_leaves_what_was_served_before(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping():
        place.wait_for(READY)
        pid = place.ask()["pid"]
        place.order(models=["missing"])
        wait_until(lambda: "as the change failed: model 'missing': not found" in place.find().message)
        assert (place.find().state, place.find().served_revision) == (READY, 1)
        assert place.ask()["pid"] == pid


def test_a_process_that_takes_too_much_memory_is_ended(place: DeploymentPlace) -> None:
    place.add("hungry")
    with place.keeping():
        wait_until(lambda: place.find().restarts >= 1)
        assert "MiB more memory than its machine type gives" in place.find().message


def test_a_keeper_that_ends_gives_its_deployments_to_another_at_once(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping():
        first = place.wait_for(READY).owner
        pid = place.ask()["pid"]
    given_up = place.find()
    assert (given_up.state, given_up.owner, given_up.address) == (PENDING, "", "")
    assert not is_alive(pid)
    with place.keeping():
        assert place.wait_for(READY).owner != first


def test_processes_of_a_killed_keeper_end_and_another_keeper_starts_them_after_the_lease(
    place: DeploymentPlace,
) -> None:
    place.add("road/1")
    keeper = place.start_keeper()
    ready = place.wait_for(READY)
    first, address, pid = ready.owner, ready.address, place.ask()["pid"]
    with place.keeping():
        keeper.kill()
        wait_for_end(pid)
        wait_until(lambda: place.find().owner != first and place.find().address not in {"", address})
        assert place.ask()["pid"] != pid


def test_a_host_that_is_cut_off_from_the_store_lets_go_before_another_one_takes_over(place: DeploymentPlace) -> None:
    place.add("road/1")
    store = CutOffStore(place.ports.store)
    with place.keeping(store=store):
        ready = place.wait_for(READY)
        pid = place.ask()["pid"]
        store.is_cut_off = True
        wait_for_end(pid)
        assert place.find().owner == ready.owner
        with place.keeping():
            wait_until(lambda: place.find().owner != ready.owner and place.find().address not in {"", ready.address})
            other = place.ask()["pid"]
            store.is_cut_off = False
            # It takes what is new, and leaves alone what is another host's now.
            place.order(models=["road/2"])
            place.wait_for(READY, served_revision=2)
            assert place.ask()["pid"] != other
            wait_until(lambda: "begins with road/2" in place.list_lines())
            # Read while both are there: the first host may take what the second one gives up at its end.
            begun = [line for line in place.list_lines() if line.startswith("begins with")]
    assert begun == ["begins with road/1", "begins with road/1", "begins with road/2"]


def test_two_keepers_share_deployments_and_none_is_run_twice(place: DeploymentPlace) -> None:
    names = [f"road-{number}" for number in range(4)]
    room_for_two = make_plan(machine=Machine(2, 8 * SMALL.memory_bytes, 0))
    with place.keeping(room_for_two), place.keeping(room_for_two):
        for name in names:
            place.add("road/1", name=name)
        rows = [place.wait_for(READY, name) for name in names]
        owners = [row.owner for row in rows]
        assert sorted(owners.count(owner) for owner in set(owners)) == [2, 2]
        begun = [place.list_lines(name).count("begins with road/1") for name in names]
        assert begun == [1, 1, 1, 1]


def test_what_fits_no_host_is_taken_by_one_in_the_end(place: DeploymentPlace) -> None:
    place.add("road/1")
    with place.keeping(make_plan(machine=Machine(0, 0, 0))):
        place.wait_for(READY)
