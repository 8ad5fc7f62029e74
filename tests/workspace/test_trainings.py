from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.ports import fake_ports

from atrous.adapters.home import open_home
from atrous.bundle.preprocessing import Preprocessing
from atrous.core.class_map import ClassMap
from atrous.core.errors import NotFoundError
from atrous.core.sizes import Size
from atrous.workspace.records import Project, TrainingState, Version
from atrous.workspace.trainings import end_training, resume_training, start_training

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports

CLASS_MAP = ClassMap(("background", "road"))
RECIPE = {"encoder": "resnet50", "epochs": 3}


@pytest.fixture(params=["fake", "home"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Ports with the workspaces `acme` and `other`, each with a project `road`."""
    ports = fake_ports(tmp_path) if request.param == "fake" else open_home(tmp_path / "home")
    for workspace in ("acme", "other"):
        ports.store.add_workspace(workspace)
        ports.store.add_project(Project(workspace, "road", CLASS_MAP, ports.clock.now()))
    return ports


def make_version(ports: Ports, workspace: str = "acme") -> Version:
    now = ports.clock.now()
    preprocessing = Preprocessing(Size(height=8, width=8))
    return ports.store.add_version(
        lambda number: Version(workspace, "road", number, "0" * 64, CLASS_MAP, preprocessing, {}, now),
        workspace,
        "road",
    )


def test_a_new_training_runs(ports: Ports) -> None:
    version = make_version(ports)
    training = start_training(ports, version, RECIPE)
    assert (training.state, training.error, training.recipe) == (TrainingState.RUNNING, None, RECIPE)
    assert ports.store.list_trainings("acme", "road", version.number) == [training]


def test_no_two_trainings_share_an_id(ports: Ports) -> None:
    version = make_version(ports)
    assert len({start_training(ports, version, RECIPE).id for _ in range(20)}) == 20


@pytest.mark.parametrize("state", [TrainingState.RUNNING, TrainingState.STOPPED, TrainingState.FAILED])
def test_what_was_stopped_killed_or_failed_is_resumed_as_it_began(ports: Ports, state: TrainingState) -> None:
    version = make_version(ports)
    training = start_training(ports, version, RECIPE)
    end_training(ports, training, state, "no space")
    resumed = resume_training(ports, version)
    assert (resumed.id, resumed.recipe, resumed.created) == (training.id, RECIPE, training.created)
    (kept,) = ports.store.list_trainings("acme", "road", version.number)
    assert (kept.state, kept.error) == (TrainingState.RUNNING, None)


def test_what_is_done_is_not_resumed(ports: Ports) -> None:
    version = make_version(ports)
    end_training(ports, start_training(ports, version, RECIPE), TrainingState.DONE)
    with pytest.raises(NotFoundError, match="road/1: has no unfinished training"):
        resume_training(ports, version)


def test_the_newest_unfinished_training_is_resumed(ports: Ports) -> None:
    version = make_version(ports)
    older, newer, done = (start_training(ports, version, RECIPE | {"epochs": epochs}) for epochs in (1, 2, 3))
    end_training(ports, older, TrainingState.STOPPED)
    end_training(ports, newer, TrainingState.FAILED, "no space")
    end_training(ports, done, TrainingState.DONE)
    assert resume_training(ports, version).id == newer.id
    end_training(ports, newer, TrainingState.DONE)
    assert resume_training(ports, version).id == older.id


def test_a_failed_training_without_a_checkpoint_is_passed_over(ports: Ports) -> None:
    version = make_version(ports)
    stopped, dead = (start_training(ports, version, RECIPE) for _ in range(2))
    end_training(ports, stopped, TrainingState.STOPPED)
    end_training(ports, dead, TrainingState.FAILED, "the hub cannot be reached")
    assert resume_training(ports, version, has_checkpoint=lambda _: False).id == stopped.id


def test_only_trainings_of_this_very_version_are_resumed(ports: Ports) -> None:
    version, next_version, theirs = make_version(ports), make_version(ports), make_version(ports, "other")
    start_training(ports, next_version, RECIPE)
    start_training(ports, theirs, RECIPE)
    with pytest.raises(NotFoundError):
        resume_training(ports, version)


def test_why_a_training_failed_is_kept(ports: Ports) -> None:
    version = make_version(ports)
    end_training(ports, start_training(ports, version, RECIPE), TrainingState.FAILED, "the disk is full")
    (kept,) = ports.store.list_trainings("acme", "road", version.number)
    assert (kept.state, kept.error) == (TrainingState.FAILED, "the disk is full")
